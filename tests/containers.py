"""The harness for containers: this repository's compose files, under a name of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Final

import trustme
from click.testing import CliRunner
from dragonfly_common.cli import main

__all__ = ["ROOT", "Compose", "docker", "make_secrets", "why_no_engine"]

ROOT: Final = Path(__file__).parents[1]
FILES: Final = ("compose.yaml", "compose.sim.yaml")


def why_no_engine() -> str | None:
    """Return why containers cannot be run here, None if they can."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        return "no Docker engine answers"
    version = ["docker", "compose", "version"]
    if subprocess.run(version, capture_output=True, check=False).returncode != 0:
        return "there is no docker compose"
    return None


def docker(*words: str, **variables: str) -> str:
    """Run a docker command, and return what it printed."""
    done = subprocess.run(
        ["docker", *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
    )
    assert done.returncode == 0, f"docker {' '.join(words)}:\n{done.stderr[-3000:]}"
    return done.stdout


def make_secrets(folder: Path) -> str:
    """Make what docs/security.md says in `folder`; return the bot's token."""
    made = CliRunner().invoke(main, ["keys", "new", str(folder)])
    assert made.exit_code == 0, made.output
    made = CliRunner().invoke(main, ["token", "new", "bot", "--file", str(folder / "tokens.toml")])
    assert made.exit_code == 0, made.output
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    (folder / "tls.crt").write_bytes(issued.cert_chain_pems[0].bytes())
    (folder / "tls.key").write_bytes(issued.private_key_pem.bytes())
    (folder / "authority.pem").write_bytes(authority.cert_pem.bytes())
    return made.stdout.splitlines()[0]


class Compose:
    """A running composition, with the simulator's truth log in `folder`."""

    def __init__(self, folder: Path, *files: str | Path, **variables: str) -> None:
        folder.chmod(0o777)  # the simulator's user writes there
        self.truth_log = folder / "truth.ndjson"
        self.project = f"dragonfly-test-{os.getpid()}"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.gateway_address = f"127.0.0.1:{probe.getsockname()[1]}"
        simulator = {
            "environment": {"DRAGONFLY_SIMULATOR_TRUTH_LOG": "/truth/truth.ndjson"},
            "volumes": [f"{folder}:/truth"],
        }
        kept = folder / "truth.yaml"
        kept.write_text(json.dumps({"services": {"simulator": simulator}}))
        paths = [*(ROOT / name for name in FILES), *files, kept]
        self.variables = {
            "COMPOSE_FILE": ":".join(map(str, paths)),
            "COMPOSE_PROJECT_NAME": self.project,
            "DRAGONFLY_PUBLISH": self.gateway_address,
            **variables,
        }
        self.scale: dict[str, int] = {}

    def run(self, *words: str) -> str:
        """Run a `docker compose` command, and return what it printed."""
        return docker("compose", *words, **self.variables)

    def up(self, **scale: int) -> None:
        """Start all that does not run, at this scale, and wait until it is healthy.

        Services are named with _ for -; those not named have one container.
        """
        self.scale = {name.replace("_", "-"): count for name, count in scale.items()}
        words = [f"--scale={name}={count}" for name, count in self.scale.items()]
        self.run("up", "--detach", "--wait", "--no-recreate", *words)

    def down(self) -> None:
        """End and remove all, also what others started under this name."""
        words = ("--profile=*", "down", "--volumes", "--remove-orphans", "--timeout=2")
        try:
            self.run(*words)
        except AssertionError:
            # A busy engine may keep a removed container as an endpoint of its network.
            label = f"--filter=label=com.docker.compose.project={self.project}"
            for network in docker("network", "ls", "--quiet", label).split():
                (facts,) = json.loads(docker("network", "inspect", network))
                for endpoint in facts["Containers"].values():
                    docker("network", "disconnect", "--force", network, endpoint["Name"])
            self.run(*words)

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's containers, running or not, oldest first."""
        return self.run("ps", "--all", "--quiet", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        (facts,) = json.loads(docker("inspect", container))
        assert isinstance(facts, dict)
        return facts

    def roll(self, service: str) -> None:
        """Replace a service's containers as a user would."""
        command = [str(ROOT / "deploy" / "compose" / "roll"), service]
        env = os.environ | self.variables
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stderr

    def logs(self) -> str:
        return self.run("logs", "--no-color", "--tail=60")
