"""What deployments tell the web gateway are options that it has; of Kubernetes others say so."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from web_gateway.cli import web

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "file",
    [
        "compose.yaml",
        "compose.secure.yaml",
        "deploy/swarm/stack.yaml",
        "deploy/swarm/stack.web.secure.yaml",
    ],
)
def test_only_options_there_are_are_named(file: str) -> None:
    told = yaml.safe_load((ROOT / file).read_text())
    service = told["services"]["web"]
    known = {
        f"DRAGONFLY_WEB_{max(option.opts, key=len).lstrip('-').upper().replace('-', '_')}"
        for option in web.params
    }
    assert service["environment"].keys() - {"RES_OPTIONS"} <= known
    named = {
        value.removeprefix("/run/secrets/")
        for value in service["environment"].values()
        if value.startswith("/run/secrets/")
    }
    secrets = service.get("secrets", [])
    assert named == {one if isinstance(one, str) else one["target"] for one in secrets}
    if file == "compose.yaml":
        assert service["ports"] == ["${DRAGONFLY_WEB_PUBLISH:-127.0.0.1:50080}:50080"]
