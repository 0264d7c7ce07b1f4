"""What images install is known to the byte, and whose it is."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import sysconfig
import tomllib
from itertools import chain
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
BILL = ROOT / "deploy" / "bill_of_materials.py"
HASHES = ROOT / "hashes.txt"


def pinned(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if "==" in line]


def bill(what: str) -> str:
    command = [sys.executable, str(BILL), what, sysconfig.get_path("purelib"), str(HASHES)]
    return subprocess.check_output(command, text=True)


def to_run() -> set[str]:
    return {line.partition("==")[0] for line in pinned(HASHES.read_text().partition("# To run")[2])}


def test_all_that_images_install_has_a_hash_and_no_address() -> None:
    """Where it fails: `make constraints`, or `deploy/pin_hashes.py` for the hashes alone."""
    constraints = (ROOT / "constraints.txt").read_text().partition("# To test")[0]
    hashes = HASHES.read_text()
    assert pinned(hashes) == pinned(constraints)
    for line in hashes.splitlines():
        assert (
            line.startswith("#")
            or not line
            or re.fullmatch(r"[\w.-]+==[\w.]+( --hash=sha256:[0-9a-f]{64})+", line)
        )


def test_images_install_nothing_that_was_not_verified() -> None:
    steps = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    asked = re.findall(r"pip (?:-\S+ )*(?:install|download|wheel)[^&\n]*", steps)
    asked += re.findall(r"pip .*", (ROOT / "deploy" / "install").read_text())
    assert len(asked) >= 4
    for words in asked:
        offline = "--no-index" in words or "--no-deps --no-build-isolation" in words
        assert offline or "--require-hashes" in words


def test_each_image_is_made_of_an_extra_and_all_that_it_needs_is_ours_or_verified() -> None:
    """No index is asked, so what is in neither folder is not there."""
    projects = {
        one["name"]: one
        for path in ROOT.glob("*/*/pyproject.toml")
        if path.parts[-3] in {"libs", "services"}
        for one in [tomllib.loads(path.read_text())["project"]]
    }
    extras = projects["dragonflybot"]["optional-dependencies"]
    images = re.findall(r"RUN \./install ([\w,-]+)", (ROOT / "Dockerfile").read_text())
    assert len(images) >= 5
    installs = [extra for image in images for extra in image.split(",")]
    assert set(installs) <= set(extras)
    verified = {name.lower().replace("_", "-") for name in to_run()}
    needed = {
        re.split(r"[^\w-]", words)[0].lower().replace("_", "-")
        for one in projects.values()
        for words in [*one["dependencies"], *chain(*(extras[name] for name in installs))]
    }
    assert needed <= set(projects) | verified


def wheel(folder: Path, code: str) -> Path:
    """Return a package `victim` that runs `code` when it is imported."""
    folder.mkdir()
    path = folder / "victim-1.0-py3-none-any.whl"
    with ZipFile(path, "w") as file:
        file.writestr("victim.py", code)
        file.writestr(
            "victim-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: victim\nVersion: 1.0\n"
        )
        file.writestr(
            "victim-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr("victim-1.0.dist-info/RECORD", "")
    return path


@pytest.mark.parametrize(("served", "taken"), [("good", True), ("forged", False)])
def test_an_index_that_serves_another_file_is_refused(
    tmp_path: Path, served: str, *, taken: bool
) -> None:
    good, forged = wheel(tmp_path / "good", "a = 1"), wheel(tmp_path / "forged", "a = 2")
    hashes = tmp_path / "hashes.txt"
    hashes.write_text(
        f"victim==1.0 --hash=sha256:{hashlib.sha256(good.read_bytes()).hexdigest()}\n"
    )
    download = re.search(
        r"pip (download .*--require-hashes.*) -r", (ROOT / "Dockerfile").read_text()
    )
    assert download is not None
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", *download[1].split(), "--disable-pip-version-check"),
            *("--no-index", "--find-links", str({"good": good, "forged": forged}[served].parent)),
            *("-r", str(hashes), "-d", str(tmp_path / "verified")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == taken
    assert (tmp_path / "verified" / good.name).exists() == taken


def test_the_bill_names_what_is_shipped_and_nothing_else() -> None:
    made = json.loads(bill("sbom"))
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert {one["name"].lower() for one in made["components"]} == {
        name.lower() for name in to_run()
    }
    for one in made["components"]:
        assert one["purl"].endswith(f"@{one['version']}")
        assert all(len(told["value"]) == 64 for told in one["properties"])


def test_the_notices_give_each_packages_licence_and_its_text() -> None:
    notices = bill("notices")
    for name in to_run():
        _, _, rest = notices.partition(f"\n{name} ")
        stated, _, text = rest.partition("\n")
        assert re.match(r"\S+: .*(MIT|BSD|Apache|PSF|MPL)", stated), name
        assert len(text.split("=" * 80)[1]) > 200, name
