"""The page's files: those of others are as they were published, and all are few and small."""

from __future__ import annotations

import gzip
import hashlib
import tomllib
from pathlib import Path

import web_gateway

STATIC = Path(web_gateway.__file__).parent / "static"
VENDOR = STATIC / "vendor"


def test_what_others_made_is_as_they_published_it() -> None:
    packages = tomllib.loads((VENDOR / "vendor.toml").read_text())["package"]
    named = {VENDOR / "vendor.toml"}
    for one in packages:
        folder = VENDOR / f"{one['name']}-{one['version']}"
        assert "LICENSE" in one["sha256"], folder
        for name, digest in one["sha256"].items():
            named.add(folder / name)
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    assert {path for path in VENDOR.rglob("*") if path.is_file()} == named


def test_what_a_browser_loads_is_small() -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in {".js", ".mjs", ".css", ".html"}]
    assert sum(path.stat().st_size for path in files if VENDOR in path.parents) < 80_000
    assert sum(path.stat().st_size for path in files) < 131_000
    # As they travel; a test of REST sees that they do so.
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < 60_000


def test_nothing_is_fetched_from_elsewhere() -> None:
    for path in STATIC.glob("*.*"):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, path
        assert "https://" not in text, path
