"""What is shipped that others made: their notices, and a bill of materials (CycloneDX 1.6).

    bill_of_materials.py notices SITE_PACKAGES hashes.txt    print the licences of what is there
    bill_of_materials.py sbom SITE_PACKAGES hashes.txt       print the bill of it

Of what is installed only that is told which hashes.txt has under "To run them": neither our own
packages nor tools. An image's notices are made while it is built, of exactly what it holds; `make
dist` writes the notices and the bill of all that any image holds. The base image's own packages are
not among them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from importlib.metadata import Distribution, distributions, version
from pathlib import Path
from typing import Any, Final

TO_RUN: Final = "# To run them"
LICENCE_FILE: Final = re.compile(r"(licen[cs]e|copying|notice|authors)[^/]*$", re.IGNORECASE)
RULE: Final = "=" * 80


def shipped(hashes: str) -> dict[str, list[str]]:
    """Return the hashes of each package that images ship, by its canonical name."""
    return {
        canonical(words[0].partition("==")[0]): [
            word.removeprefix("--hash=sha256:") for word in words[1:]
        ]
        for line in hashes.partition(TO_RUN)[2].splitlines()
        if "==" in line and (words := line.split())
    }


def installed(site_packages: str, names: Container[str]) -> list[Distribution]:
    """Return what is installed of `names`, in order."""
    found = {canonical(one.name): one for one in distributions(path=[site_packages])}
    return [found[name] for name in sorted(found) if name in names]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(one: Distribution) -> str:
    """Return a licence's name as its package states it."""
    stated = next(iter(one.metadata.get_all("License-Expression", [])), "") or next(
        iter(one.metadata.get_all("License", [])), ""
    )
    if stated and "\n" not in stated:
        return stated
    classifiers = one.metadata.get_all("Classifier") or []
    names = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    return " OR ".join(names) or "see its text"


def notices(packages: Iterable[Distribution]) -> str:
    """Return each package's name and licence, and the texts that it ships."""
    parts = ["DragonflyBot contains the following software of others.\n"]
    for one in packages:
        texts = [
            text.strip("\n")
            for file in one.files or ()
            if ".dist-info/" in str(file) and LICENCE_FILE.search(str(file))
            if (text := Path(str(file.locate())).read_text(encoding="utf-8", errors="replace"))
        ]
        parts += [RULE, f"{one.name} {one.version}: {licence(one)}", RULE, *texts, ""]
    return "\n".join(parts)


def sbom(packages: Iterable[Distribution], hashes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the bill of `packages`, each with the hashes of its wheels."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": "dragonflybot",
                "version": version("dragonflybot"),
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": f"pkg:pypi/{canonical(one.name)}@{one.version}",
                "name": one.name,
                "version": one.version,
                "purl": f"pkg:pypi/{canonical(one.name)}@{one.version}",
                "licenses": [{"license": {"name": licence(one)}}],
                # Of the wheels for each architecture.
                "properties": [
                    {"name": "wheel:sha256", "value": value}
                    for value in hashes[canonical(one.name)]
                ],
            }
            for one in packages
        ],
    }


def main() -> None:
    if len(sys.argv) != 4 or sys.argv[1] not in {"notices", "sbom"}:
        sys.exit(__doc__)
    what, site_packages, file = sys.argv[1:]
    hashes = shipped(Path(file).read_text(encoding="utf-8"))
    packages = installed(site_packages, hashes)
    if what == "notices":
        print(notices(packages))
    else:
        print(json.dumps(sbom(packages, hashes), indent=1))


if __name__ == "__main__":
    main()
