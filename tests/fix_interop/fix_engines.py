"""Engines of FIX that others wrote, as customers: how each is had, and how it is run.

What they need is fetched into a folder of their own; what cannot be had is a reason to skip.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from fix_world import SPECIFICATION

__all__ = ["ENGINES", "PORT", "Missing", "Place", "Request", "token_of"]

HERE: Final = Path(__file__).parent
BUILT: Final = HERE.parents[1] / "build" / "fix-interop"
PORT: Final = "PORT"
"""Stands for the gateway's, which is not known while an engine is fetched."""
PATIENCE_S: Final = 600.0
"""Of a registry."""


class Missing(Exception):  # noqa: N818 -- not an error: a reason to skip
    """An engine cannot be had here; the message says why."""


class Request(NamedTuple):
    """A MarketDataRequest (V)."""

    name: str
    """Its id (262)."""
    symbol: str
    depth: int
    incremental: bool = False
    merged: bool = False

    def __str__(self) -> str:
        """Return it as the engines are told: ID:SYMBOL:DEPTH:UPDATE TYPE:AGGREGATED."""
        aggregated = "Y" if self.merged else "N"
        return f"{self.name}:{self.symbol}:{self.depth}:{self.incremental:d}:{aggregated}"


@dataclass(frozen=True)
class Place:
    """Where an engine is to log on, and what it may use."""

    ca_file: Path
    folder: Path
    requests: Sequence[Request] = ()


def token_of(engine: str) -> str:
    """Return what an engine logs on with (554); its Username (553) is its name."""
    return f"the-token-of-{engine}"


def _quickfix(place: Place) -> Sequence[str]:
    """QuickFIX in C++, with Python around it."""
    if not SPECIFICATION.exists():
        raise Missing(f"{SPECIFICATION.name} of FIX 4.4 is not here")
    python = BUILT / "quickfix" / "bin" / "python"
    if not python.exists():
        _run(sys.executable, "-m", "venv", python.parents[1])
    wanted = "quickfix-tls==1.16.0.1rc1"
    _run(python, "-m", "pip", "install", "-q", "--pre", "--only-binary", ":all:", wanted)
    words = (python, HERE / "quickfix_client.py", PORT, place.ca_file, SPECIFICATION)
    return _words(*words, place.folder, token_of("quickfix"), *place.requests)


def _quickfixj(place: Place) -> Sequence[str]:
    """QuickFIX/J in Java."""
    for tool in ("java", "javac", "keytool", "mvn"):
        if not shutil.which(tool):
            raise Missing(f"there is no {tool}")
    libraries, classes = BUILT / "quickfixj" / "lib", BUILT / "quickfixj" / "classes"
    pom = HERE / "quickfixj" / "pom.xml"
    _run(
        "mvn",
        "-q",
        "-B",
        "-f",
        pom,
        "dependency:copy-dependencies",
        f"-DoutputDirectory={libraries}",
    )
    _run(
        "javac",
        "-cp",
        f"{libraries}/*",
        "-d",
        classes,
        HERE / "quickfixj" / "src" / "Customer.java",
    )
    trusted = place.folder / "trusted.p12"
    store = ("-storetype", "PKCS12", "-storepass", "changeit", "-keystore", trusted)
    _run("keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", place.ca_file, *store)
    words = ("java", "-cp", f"{classes}:{libraries}/*", "Customer", PORT, trusted)
    return _words(*words, place.folder, token_of("quickfixj"), *place.requests)


def _jspurefix(place: Place) -> Sequence[str]:
    """jspurefix in TypeScript, of a line of its own."""
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            raise Missing(f"there is no {tool}")
    folder = BUILT / "jspurefix"
    folder.mkdir(parents=True, exist_ok=True)
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts")
    _run("npm", "install", "--silent", *quiet, "--prefix", folder, "jspurefix@5.11.4")
    program = shutil.copy(HERE / "jspurefix_client.js", folder)
    return _words("node", program, PORT, place.ca_file, token_of("jspurefix"), *place.requests)


ENGINES: Final[Mapping[str, Callable[[Place], Sequence[str]]]] = {
    "quickfix": _quickfix,
    "quickfixj": _quickfixj,
    "jspurefix": _jspurefix,
}
"""What fetches each, and returns the words that run it; raises `Missing`."""


def _words(*words: object) -> list[str]:
    return [str(word) for word in words]


def _run(*words: object) -> None:
    try:
        done = subprocess.run(
            _words(*words),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{words[0]} did not end in {PATIENCE_S:g} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{' '.join(_words(*words))[:200]} failed: {' '.join(said[:3])[:500]}")
