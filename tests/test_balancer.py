"""The balancer's own configuration, run by a real HAProxy: what one source may take of it."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from loopback import accepting
from patience import eventually

CONFIGURATION = Path(__file__).parents[1] / "deploy" / "compose" / "haproxy.cfg"
HAPROXY = shutil.which("haproxy")
AT_A_TIME = 256
"""Connections of one source, as the configuration says."""

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="needs haproxy")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture
async def balancer(tmp_path: Path) -> AsyncIterator[int]:
    """The port of a balancer as it is shipped, but for addresses: one gateway that says nothing."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    port = free_port()
    async with accepting(hold) as target:
        text = CONFIGURATION.read_text()
        for pattern, here in (
            (r"bind :50051", f"bind 127.0.0.1:{port}"),
            (r"bind 127.0.0.1:9100", f"bind 127.0.0.1:{free_port()}"),
            (r"^resolvers docker\n(    .*\n)*", ""),
            (r"^    (default-server|server-template) .*\n", ""),
            (r"^backend gateways\n", f"backend gateways\n    server gateway 127.0.0.1:{target}\n"),
            (r"inspect-delay 5s", "inspect-delay 200ms"),
        ):
            text, count = re.subn(pattern, here, text, flags=re.MULTILINE)
            assert count, pattern
        (tmp_path / "haproxy.cfg").write_text(text)
        assert HAPROXY is not None
        running = await asyncio.create_subprocess_exec(
            HAPROXY, "-db", "-f", tmp_path / "haproxy.cfg"
        )

        def listens() -> bool:
            with ExitStack() as stack:
                try:
                    stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                except ConnectionRefusedError:
                    assert running.returncode is None
                    return False
                return True

        try:
            await eventually(listens, "the balancer listens")
            yield port
        finally:
            if running.returncode is None:
                running.kill()
            await running.wait()


def is_open(end: socket.socket) -> bool:
    try:
        return end.recv(1, socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


async def test_one_source_has_so_many_connections_and_no_more(balancer: int) -> None:
    with ExitStack() as stack:
        ends = []
        for _ in range(AT_A_TIME + 50):
            end = stack.enter_context(socket.create_connection(("127.0.0.1", balancer)))
            end.send(b"PRI * HTTP/2.0")
            ends.append(end)

        def bounded() -> bool:
            return sum(map(is_open, ends)) <= AT_A_TIME

        await eventually(bounded, "the balancer closes what is too much")
        assert sum(map(is_open, ends)) > AT_A_TIME / 2


async def test_a_connection_that_says_nothing_is_closed(balancer: int) -> None:
    with (
        socket.create_connection(("127.0.0.1", balancer)) as silent,
        socket.create_connection(("127.0.0.1", balancer)) as speaks,
    ):
        speaks.send(b"PRI * HTTP/2.0")
        await eventually(lambda: not is_open(silent), "the balancer closes the silent one")
        assert is_open(speaks)
