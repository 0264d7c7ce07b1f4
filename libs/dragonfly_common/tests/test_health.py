from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from dragonfly_common.health import ask
from dragonfly_common.health_cli import health
from dragonfly_common.status import StatusServer
from patience import PATIENCE_S


class Process:
    """Stands for a service: its status page, and why it is not ready."""

    def __init__(self) -> None:
        self.unready: str | None = None
        self.page = StatusServer("127.0.0.1:0", lambda: self.unready)


@pytest.fixture
def process() -> Iterator[Process]:
    process = Process()
    yield process
    process.page.close()


def test_a_ready_process_is_healthy(process: Process) -> None:
    assert ask(process.page.address) is None
    result = CliRunner().invoke(health, ["--status", process.page.address])
    assert (result.exit_code, result.output) == (0, "ready\n")


def test_one_that_is_not_says_why(process: Process) -> None:
    process.unready = "no venue is live"
    assert ask(process.page.address) == "no venue is live"
    result = CliRunner().invoke(health, ["--status", process.page.address])
    assert (result.exit_code, result.output) == (1, "no venue is live\n")


def test_nobody_there_is_said_in_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert (ask(address) or "").startswith(f"nothing answers at {address}")


def test_an_address_must_be_one() -> None:
    for text in ("9100", "host:", ":9100", "host:http"):
        assert "write HOST:PORT" in (ask(text) or "")


def test_what_is_no_status_page_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        command = [sys.executable, "-m", "dragonfly_common.health"]
        asking = subprocess.Popen(
            command, env={"DRAGONFLY_HEALTH_STATUS": address}, stdout=subprocess.PIPE, text=True
        )
        connection, _ = server.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"SSH-2.0-nonsense\r\n")
        output, _ = asking.communicate(timeout=PATIENCE_S)
    assert (asking.returncode, output) == (1, f"no sensible answer from {address}\n")


def test_the_cheap_one_imports_little() -> None:
    code = "import dragonfly_common.health, sys; print(len(sys.modules))"
    modules = {
        text: int(
            subprocess.run([sys.executable, "-c", text], capture_output=True, check=True).stdout
        )
        for text in (code, "import sys; print(len(sys.modules))")
    }
    assert modules[code] - min(modules.values()) < 30
