"""Lay the pages of the site with a reference of commands, metrics and protos; check its links.

.venv/bin/python deploy/site_pages.py lay FOLDER
.venv/bin/python deploy/site_pages.py check FOLDER
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import click
from dragonfly_common.cli import main as dragonfly

ROOT: Final = Path(__file__).parents[1]
COPIED: Final = (
    "*.md",
    ".env.example",
    "docs/*",
    "deploy/kubernetes/README.md",
    "libs/dragonfly_client/README.md",
    "libs/dragonfly_client/examples/*",
    "protos/dragonfly/v1/*.proto",
    "services/venue_simulator/README.md",
    "tests/oracle.py",
)
"""The pages, and what they link to."""
KINDS: Final = {
    "Counter": "counter",
    "Delays": "histogram",
    "Gauge": "gauge",
    "Info": "info",
    "Tallies": "counter",
    "Tally": "counter",
}


COMMANDS: Final = """\
# Commands

What `dragonfly COMMAND --help` says. Every option is an environment variable too: `--bind`
of `dragonfly gateway` is `DRAGONFLY_GATEWAY_BIND`; a file for `up --config` has them too.\
"""
METRICS: Final = """\
# Metrics

What `/metrics` of each service can tell, beside what Prometheus' own library tells of a process.
[Monitoring](../monitoring.md) says which are worth a look first.\
"""
PROTOS: Final = """\
# Protos

The contract with bots; the comments are its documentation.
[The wire protocol](../wire-protocol.md) says how it is spoken.\
"""


def commands() -> Iterator[str]:
    yield COMMANDS
    yield from _helps(dragonfly, "dragonfly", None)


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, parent, name.rpartition(" ")[2], max_content_width=100)
    context.terminal_width = 100
    if parent is not None:
        yield f"## {name}\n\n```text\n{command.get_help(context)}\n```"
    if isinstance(command, click.Group):
        for part in command.list_commands(context):
            found = command.get_command(context, part)
            if found is not None and not found.hidden:
                yield from _helps(found, f"{name} {part}", context)


def metrics() -> Iterator[str]:
    yield METRICS
    for path in sorted(ROOT.glob("*/*/src/*/counters.py")):
        rows = [
            f"| `{name}` | {kind} | {', '.join(f'`{one}`' for one in labels)} | {said} |"
            for name, kind, labels, said in _declared(path)
        ]
        head = f"## {path.parent.name}\n\n| metric | kind | labels | |\n|---|---|---|---|\n"
        yield head + "\n".join(rows)


def _declared(path: Path) -> Iterator[tuple[str, str, list[str], str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            kind = KINDS.get(node.func.id)
            if kind:
                name, said, *labels = map(ast.literal_eval, node.args)
                named = labels[0] if labels else []
                name += "_info" if kind == "info" else ""
                yield name, kind, [named] if isinstance(named, str) else named, said


def protos() -> Iterator[str]:
    yield PROTOS
    for path in sorted((ROOT / "protos").rglob("*.proto")):
        name, text = path.relative_to(ROOT), path.read_text(encoding="utf-8")
        yield f"## {name}\n\n```protobuf\n{text.strip()}\n```"


def lay(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path in (one for pattern in COPIED for one in ROOT.glob(pattern) if one.is_file()):
        place = folder / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    reference = folder / "docs" / "reference"
    reference.mkdir()
    for name, parts in (("commands", commands()), ("metrics", metrics()), ("protos", protos())):
        (reference / f"{name}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def broken(site: Path) -> Iterator[str]:
    """Yield each address within the site that leads nowhere, or that a browser asks others for."""
    for page in sorted(site.rglob("*.html")):
        if page.name == "404.html":  # its addresses are of wherever it is shown
            continue
        text = page.read_text(encoding="utf-8")
        for address in sorted(set(re.findall(r'\b(?:href|src)="([^"]*)"', text))):
            target = unquote(address.partition("#")[0].partition("?")[0])
            if ":" not in target and not (page.parent / target).exists():
                yield f"{page.relative_to(site)}: {address} leads nowhere"
        for address in re.findall(r'<(?:script|link|img)[^>]*(?:href|src)="(https?:[^"]*)', text):
            yield f"{page.relative_to(site)}: {address} is of another host"


if __name__ == "__main__":
    action, place = sys.argv[1], Path(sys.argv[2])
    if action == "lay":
        lay(place)
    elif found := list(broken(place)):
        sys.exit("\n".join(found))
