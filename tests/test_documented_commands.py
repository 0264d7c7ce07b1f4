"""What the documentation tells people to type is understood; and, by `make examples`, does it.

A line that no test here can run says in `NOT_RUN` why.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import pytest
from dragonfly_common.cli import main as dragonfly
from patience import PATIENCE_S
from system import System
from venue_simulator.faults import FaultKind

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "deploy/kubernetes/README.md",
    "libs/dragonfly_client/README.md",
    "services/venue_simulator/README.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
)
BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TARGETS: Final = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

NOT_RUN: Final = {
    r"dragonfly (up|listener) .*(--venue|--instrument|--engine|--equivalent)": "asks real venues",
    r"dragonfly (aggregator|engine|fix-gateway|gateway|listener) ": "needs the processes beside it,"
    " which the tests of each service start with its options",
    r"gateway\.example|localhost:50051 --ca-file": "needs the reader's own gateway",
    r"BTC-ANYUSD": "simulated venues list no BTC-USDC",
    r"dragonfly conformance": "takes long: libs/dragonfly_conformance runs it for each venue",
    r"dragonfly (demo|liquidate)": "takes minutes",
    r"dragonfly up --simulated --fix": "tests/test_up.py starts it so",
    r"^make ": "is what CI runs, or says of itself how long it takes",
    r"^(docker|kubectl|cd deploy|sudo|cp) ?": "needs an engine or a cluster:"
    " `make docker-test` and tests/test_kubernetes.py have what can be had",
    r"^(\.venv/bin/)?pip install": "what sets up .venv does the like, and make install-test",
    r"^(\.venv/bin/python bench|prometheus|python3 deploy)": "measures, or watches: `make bench`,"
    " `make monitoring-test`",
    r"^(npm|node|mkdir bot|protoc|cd bot|go install .*protoc)": "test_other_languages.py runs it",
    r"bot\.py": "test_snippets.py runs the program",
    r"^(openssl|chmod)": "needs a key that a venue gave",
}


class Line(NamedTuple):
    place: str
    text: str

    @property
    def words(self) -> list[str]:
        """What it is made of, without the file that its output goes to."""
        return shlex.split(self.text.partition(" > ")[0])

    @property
    def verb(self) -> str:
        """The `dragonfly` command that it is; empty where it is none."""
        first, *rest = self.words
        return rest[0] if Path(first).name == "dragonfly" else ""

    @property
    def why_not(self) -> str:
        return next((why for what, why in NOT_RUN.items() if re.search(what, self.text)), "")


def lines() -> Iterator[Line]:
    """Yield each command of the documentation, without its remark."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            written = block[1].replace("\\\n", " ").splitlines()
            prompted = any(line.startswith("$ ") for line in written)
            at = text.count("\n", 0, block.start()) + 1
            for line in written:
                if line.strip() and line.startswith("$ ") == prompted:
                    command = re.sub(r"\s+#\s.*", "", line.removeprefix("$ ")).replace(" … ", " ")
                    yield Line(f"{page}:{at}", " ".join(command.split()))


LINES: Final = tuple(lines())
RUN: Final = tuple(dict.fromkeys(line.text for line in LINES if not line.why_not))
ASKING: Final = tuple(
    text
    for text in RUN
    if Line("", text).verb
    in {"explain", "fault", "instruments", "latency", "price", "status", "watch"}
)


def test_every_command_is_run_or_says_why_not() -> None:
    here = ("dragonfly", "grpcurl", "go")
    unknown = [line for line in LINES if not line.why_not and Path(line.words[0]).name not in here]
    assert unknown == []
    assert len(LINES) > 60
    assert len(ASKING) > 10


def test_every_option_that_is_shown_exists() -> None:
    for line in LINES:
        if not line.verb:
            continue
        command: click.Command = dragonfly
        context = click.Context(dragonfly)
        _, *words = line.words
        while isinstance(command, click.Group):
            found = command.get_command(context, words.pop(0))
            assert found is not None, line
            command, context = found, click.Context(found, context)
        try:
            command.make_parser(context).parse_args(words)
        except click.UsageError as error:
            pytest.fail(f"{line.place}: {line.text}: {error.format_message()}")


def test_every_target_and_file_that_is_shown_exists() -> None:
    for place, text in LINES:
        for target in re.findall(r"^make ([\w-]+)", text):
            assert target in TARGETS, (place, text)
        for path in re.findall(r"(?:^|[ =])((?:deploy|bench|libs)/[\w./-]+)", text):
            assert (ROOT / path).exists(), (place, text)


def test_what_the_prose_names_exists() -> None:
    """Options, variables and metrics between backticks."""
    options, variables = map(set, zip(*_options(dragonfly, click.Context(dragonfly)), strict=True))
    options |= {"--profile", "--replicas", "--strict"}  # of Compose, kubectl and mypy
    tools = [
        path.read_text() for part in ("bench", "tests") for path in (ROOT / part).rglob("*.py")
    ]
    options |= set(re.findall(r'"(--[a-z][a-z-]+)"', "\n".join(tools)))
    for pattern in ("compose*.yaml", "deploy/*/*.yaml", "*/*/src/**/*.py"):
        for path in ROOT.glob(pattern):
            variables |= set(re.findall(r"DRAGONFLY_[A-Z_]+", path.read_text()))
    metrics = "\n".join(_site_pages().metrics())
    others = {path.parent.name for path in ROOT.glob("*/*/src/*/__init__.py")}
    others |= {"dragonfly_front"}  # a network
    for page in PAGES:
        text = (ROOT / page).read_text()
        prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
        spans = " ".join(re.findall(r"`([^`]+)`", prose))
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", spans))
        assert named <= options, (page, named - options)
        named = set(re.findall(r"DRAGONFLY_[A-Z_]+", spans))
        assert named <= variables, (page, named - variables)
        for name in set(re.findall(r"(?<![/\w.])dragonfly_\w+", spans)) - others:
            found = f"`{name}" if name.endswith("_") else f"`{name}`"
            assert found in metrics, (page, name)


def test_every_fault_is_told_of() -> None:
    told = (ROOT / "services/venue_simulator/README.md").read_text()
    assert [kind for kind in FaultKind if f"`{kind}`" not in told] == []


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield the name and the variable of each option there is."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for name in (*parameter.opts, *parameter.secondary_opts):
                yield name, str(parameter.envvar)
    if isinstance(command, click.Group):
        for part in command.list_commands(context):
            found = command.get_command(context, part)
            assert found is not None
            yield from _options(found, click.Context(found, context))


def test_the_reference_has_every_command_and_metric(tmp_path: Path) -> None:
    pages = _site_pages()
    told = "\n".join(pages.commands())
    for name in dragonfly.list_commands(click.Context(dragonfly)):
        assert f"\n## dragonfly {name}\n" in told or f"\n## dragonfly {name} " in told
    metrics = "\n".join(pages.metrics())
    for path in ROOT.glob("*/*/src/*/counters.py"):
        for name in re.findall(r'"(dragonfly_\w+)"', path.read_text()):
            assert f"| `{name}" in metrics
    (tmp_path / "page.html").write_text('<a href="nowhere.html"></a><a href="page.html"></a>')
    assert list(pages.broken(tmp_path)) == ["page.html: nowhere.html leads nowhere"]


def _site_pages() -> Any:
    spec = spec_from_file_location("site_pages", ROOT / "deploy" / "site_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Running(NamedTuple):
    gateway: str
    control: str
    folder: Path


async def started(system: System) -> Running:
    """Start what the documentation says to start, at any port."""
    start = next(line for line in LINES if line.text.endswith("dragonfly up --simulated")).words
    system.environments["up-0"] = {"DRAGONFLY_UP_GATEWAY": "127.0.0.1:0"}
    up = system.run(*start[1:])
    facts = await up.event("up")
    system.gateway_address = str(facts["gateway"])
    await system.listed()
    return Running(system.gateway_address, str(facts["control"]), system.folder)


def environment(running: Running, verb: str) -> dict[str, str]:
    return {**os.environ, f"DRAGONFLY_{verb.upper()}_GATEWAY": running.gateway}


async def answers(command: list[str], environment: dict[str, str], folder: Path) -> None:
    """Run a command until it ends, or, of those that follow something, until it says something."""
    program = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    assert program.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            said = await program.stdout.readline()
            if "watch" in command or "Stream" in command[-1]:
                program.send_signal(signal.SIGINT)
            rest, errors = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert said or not errors, (command, errors.decode())
    assert program.returncode in {0, 130, -signal.SIGINT}, (
        command,
        (said + rest + errors).decode(),
    )


@pytest.mark.examples
async def test_what_is_asked_of_a_system_is_answered(system: System) -> None:
    running = await started(system)
    for text in ASKING:
        line = Line("", text.replace("http://127.0.0.1:PORT/control", running.control))
        more = ["--seconds", "1"] if line.verb == "latency" else []
        command = [sys.executable, "-m", "dragonfly_common.cli", *line.words[1:], *more]
        await answers(command, environment(running, line.verb), running.folder)


@pytest.mark.examples
def test_keys_and_tokens_are_made(tmp_path: Path) -> None:
    for text in RUN:
        line = Line("", text)
        if line.verb in {"keys", "token"}:
            (tmp_path / "secrets").mkdir(exist_ok=True)
            for path in [*tmp_path.glob("*.token"), *tmp_path.rglob("tokens.toml")]:
                path.unlink()
            if line.verb == "keys":
                shutil.rmtree(tmp_path / "secrets")
            words = [sys.executable, "-m", "dragonfly_common.cli", *line.words[1:]]
            subprocess.run(words, cwd=tmp_path, check=True, timeout=PATIENCE_S)


@pytest.mark.examples
@pytest.mark.timeout(900)  # compiles
async def test_grpcurl_is_answered(system: System, tmp_path: Path) -> None:
    if not shutil.which("go"):
        pytest.skip("there is no go here, which builds grpcurl")
    install = next(text for text in RUN if text.startswith("go install"))
    own = os.environ | {"GOBIN": str(tmp_path), "CGO_ENABLED": "0"}
    await asyncio.to_thread(subprocess.run, shlex.split(install), env=own, check=True)
    running = await started(system)
    for text in RUN:
        if text.startswith("grpcurl"):
            _, *words = shlex.split(text.replace("127.0.0.1:50051", running.gateway))
            await answers([f"{tmp_path}/grpcurl", *words], dict(os.environ), tmp_path)
