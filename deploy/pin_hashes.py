"""Write hashes.txt: the SHA-256 of every file that images may install, and no address.

`make constraints` runs it, after it has pinned the versions. An image installs nothing that is not
named here, so whoever controls an index, a mirror or the way to it cannot give it other code.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
CONSTRAINTS: Final = ROOT / "constraints.txt"
HASHES: Final = ROOT / "hashes.txt"
NOT_IN_IMAGES: Final = "# To test and check them"
PYTHON: Final = "3.13"
"""As the images have it; see the Dockerfile."""
ARCHITECTURES: Final = ("x86_64", "aarch64")
GLIBCS: Final = range(17, 42)

HEAD: Final = f"""\
# The SHA-256 of every file that images may install (Python {PYTHON}, {", ".join(ARCHITECTURES)}),
# written by `make constraints` with the versions of constraints.txt.
"""


def pinned() -> list[str]:
    """Return `name==version` of what builds the packages and what runs them, and the headings."""
    text = CONSTRAINTS.read_text(encoding="utf-8").partition(NOT_IN_IMAGES)[0]
    return text.rstrip().splitlines()[1:]


def hashes(requirement: str, architecture: str) -> Iterator[str]:
    """Yield the hashes of the wheel that pip would install, none where there is no wheel."""
    platforms = [f"--platform=manylinux_2_{minor}_{architecture}" for minor in GLIBCS]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run(  # noqa: S603 - our own words
            [
                *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"),
                *("--dry-run", "--ignore-installed", "--no-deps", "--only-binary=:all:"),
                *("--target", folder, "--report", str(report), "--python-version", PYTHON),
                *platforms,
                requirement,
            ],
            check=False,
            capture_output=True,
        )
        if done.returncode == 0:
            for one in json.loads(report.read_text(encoding="utf-8"))["install"]:
                yield one["download_info"]["archive_info"]["hashes"]["sha256"]


def main() -> None:
    """Ask pip for each package and architecture; takes a few minutes."""
    lines: list[str] = []
    for requirement in pinned():
        if "==" not in requirement:
            lines.append(requirement)
            continue
        found = sorted({one for arch in ARCHITECTURES for one in hashes(requirement, arch)})
        if not found:
            sys.exit(f"no wheel of {requirement} can be had for Python {PYTHON}: choose another")
        lines.append(" ".join([requirement, *(f"--hash=sha256:{one}" for one in found)]))
    HASHES.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
