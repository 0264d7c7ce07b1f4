"""What the files of Compose and Swarm say of a service is what its command understands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml
from dragonfly_common.cli import main

ROOT: Final = Path(__file__).parents[1]
FILES: Final = sorted(
    str(path.relative_to(ROOT))
    for folder, pattern in (
        (ROOT, "compose*.yaml"),
        (ROOT / "deploy" / "compose", "*.yaml"),
        (ROOT / "deploy" / "swarm", "*.yaml"),
    )
    for path in folder.glob(pattern)
)
THE_RESOLVERS: Final = {"RES_OPTIONS"}


def services(file: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / file).read_text())["services"]
    return found


def known_variables() -> set[str]:
    context = click.Context(main)
    commands = (main.get_command(context, name) for name in main.list_commands(context))
    return {
        option.envvar
        for command in commands
        if command is not None
        for option in command.params
        if isinstance(option.envvar, str)
    }


@pytest.mark.parametrize("file", FILES)
def test_every_variable_is_an_option(file: str) -> None:
    said = {
        name
        for service, one in services(file).items()
        if service != "grafana"  # which is not ours
        for name in one.get("environment", ())
    }
    assert said - THE_RESOLVERS <= known_variables()


@pytest.mark.parametrize("file", ["compose.yaml", "deploy/swarm/stack.yaml"])
def test_an_engine_is_on_demand_and_its_journal_is_kept(file: str) -> None:
    found = services(file)
    engine, gateway = found["engine"], found["grpc-gateway"]
    assert "engine" in engine.get("profiles", ()) or ":-0}" in engine["deploy"]["replicas"]
    said = engine["environment"]
    assert said["DRAGONFLY_ENGINE_BIND"] == "tcp://engine.bus:5571"
    assert engine["networks"]["bus"]["aliases"] == ["engine.bus"]
    assert gateway["environment"]["DRAGONFLY_GATEWAY_ENGINE"] == "${DRAGONFLY_ENGINE:-}"
    assert (
        f"DRAGONFLY_ENGINE={said['DRAGONFLY_ENGINE_BIND']}" in (ROOT / ".env.example").read_text()
    )
    (volume,) = engine["volumes"]
    name, folder = volume.split(":")
    assert name in yaml.safe_load((ROOT / file).read_text())["volumes"]
    assert str(Path(said["DRAGONFLY_ENGINE_JOURNAL"]).parent) == folder


@pytest.mark.parametrize("file", ["compose.yaml", "deploy/swarm/stack.fix-orders.yaml"])
def test_what_customers_of_fix_were_told_is_kept(file: str) -> None:
    gateway = services(file)["fix-gateway"]
    (volume,) = gateway["volumes"]
    name, folder = volume.split(":")
    assert name in yaml.safe_load((ROOT / file).read_text())["volumes"]
    assert f"{folder}/" in gateway["environment"]["DRAGONFLY_FIX_GATEWAY_ORDER_STORE"]


def test_every_image_is_a_target() -> None:
    targets = set(
        re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    )
    for file in ("compose.yaml", "compose.sim.yaml"):
        for one in services(file).values():
            assert "build" not in one or one["build"]["target"] in targets
