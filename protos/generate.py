"""Generate the Python of the contracts, libs/dragonfly_protos; `--check` says if it is current.

Messages only: a service's methods are read from its descriptor, so that nothing but the gateway and
the client imports grpc.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PROTOS: Final = ROOT / "protos"
TARGET: Final = ROOT / "libs/dragonfly_protos/src/dragonfly_protos"
CONSTRAINTS: Final = ROOT / "constraints.txt"
# Paths as the descriptors, and so the reflection service, name them.
SOURCES: Final = (
    "orderbook.proto",
    "dragonfly/v1/market_data.proto",
    "dragonfly/v1/execution.proto",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if not current")
    check: bool = parser.parse_args().check
    _require_pinned_compiler()
    fresh = _generate()
    changed = sorted(name for name, text in fresh.items() if _checked_in(name) != text)
    if check and changed:
        sys.exit(f"not current: {', '.join(changed)} in {TARGET.relative_to(ROOT)}: `make protos`")
    for name in changed:
        (TARGET / name).write_text(fresh[name])


def _require_pinned_compiler() -> None:
    """End unless grpcio-tools is installed, in the version that constraints.txt pins, if any."""
    try:
        installed = version("grpcio-tools")
    except PackageNotFoundError:
        sys.exit("grpcio-tools is not installed: `make protos` installs it, or install it with pip")
    text = CONSTRAINTS.read_text() if CONSTRAINTS.exists() else ""
    pinned = re.search(r"^grpcio-tools==(\S+)", text, re.MULTILINE)
    if pinned and pinned[1] != installed:
        sys.exit(
            f"grpcio-tools is {installed}, but constraints.txt pins {pinned[1]}: install that one"
        )


def _generate() -> dict[str, str]:
    """Return file name → text of what the compiler makes of `SOURCES`."""
    with tempfile.TemporaryDirectory() as folder:
        compiler = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}"]
        outputs = [f"--python_out={folder}", f"--pyi_out={folder}"]
        code = subprocess.call([*compiler, *outputs, *SOURCES])  # noqa: S603 - our own arguments
        if code != 0:
            sys.exit("the protocol buffer compiler refused the contracts: see its message above")
        made = list(Path(folder).rglob("*_pb2.py*"))
        return {path.name: _adapt(path.read_text()) for path in made}


def _adapt(text: str) -> str:
    """Name the module where it lives here, the descriptor keeps its path; type it fully."""
    text = re.sub(r"(, ')(?:\w+\.)*(\w+_pb2', _globals)", rf"\1{TARGET.name}.\2", text)
    text = re.sub(
        r"^from dragonfly\.v1 import", f"from {TARGET.name} import", text, flags=re.MULTILINE
    )
    return text.replace("_Mapping]", "_Mapping[str, object]]")


def _checked_in(name: str) -> str | None:
    path = TARGET / name
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    main()
