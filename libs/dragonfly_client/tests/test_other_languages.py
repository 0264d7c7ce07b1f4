"""The programs of docs/other-languages.md, made and run by the commands that stand there."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from dragonfly_protos import market_data_pb2 as pb
from patience import patiently
from stub_gateway import StubGateway, make_book

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "other-languages.md").read_text(encoding="utf-8")
MAKING_S: Final = 600  # fetches and compiles
VENUES: Final = ("binance", "bitstamp", "kraken")

pytestmark = [pytest.mark.examples, pytest.mark.timeout(900)]


def blocks(heading: str) -> tuple[list[str], str]:
    """Return the commands below a heading, without remarks, and the program."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    commands, program = re.findall(r"^```\w+\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)[:2]
    return [line.partition("  #")[0] for line in commands.splitlines()], program


def need(*tools: str) -> None:
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"there is no {tool} here")


def make(command: str, folder: Path) -> None:
    own = {"GOBIN": f"{folder}/bin", "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["sh", "-ec", command],
        cwd=folder,
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=MAKING_S,
        check=False,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"


async def says(program: asyncio.subprocess.Process, what: str) -> None:
    assert program.stdout is not None
    async with patiently():
        async for line in program.stdout:
            if what in line.decode():
                return
    raise AssertionError(f"it ended before it said {what!r}")


async def lead(gateway: StubGateway, *command: str) -> None:
    """Let a bot have a live book, one of nobody, a restart of the gateway, a live book again."""
    stale = dict.fromkeys(VENUES, (pb.STATE_STALE, "silent for 1.0 s"))
    gateway.publish(make_book(mid=100.0, seq=1))
    program = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"PROTOS": str(ROOT / "protos")},
    )
    try:
        await says(program, "100.")
        gateway.publish(make_book(mid=100.0, seq=2, states=stale))
        await says(program, "STATE_STALE silent for 1.0 s")
        await gateway.stop()
        gateway.publish(make_book(mid=100.0, seq=3))
        await gateway.start()
        await says(program, "100.")
        gateway.publish(pb.Book(instrument="ETH-BTC"))
        gateway.publish(make_book(mid=100.0, seq=4))
        await says(program, "100.")
    finally:
        program.terminate()
        await program.wait()


async def test_the_bot_in_node(gateway: StubGateway, tmp_path: Path) -> None:
    need("node", "npm")
    (install, _), program = blocks("Node")
    await asyncio.to_thread(make, f"{install} --silent --no-fund --no-audit", tmp_path)
    (tmp_path / "bot.js").write_text(program)
    await lead(gateway, "node", str(tmp_path / "bot.js"), gateway.address)


async def test_the_bot_in_go(gateway: StubGateway, tmp_path: Path) -> None:
    need("go")
    (*commands, last), program = blocks("Go")
    (tmp_path / "protos").symlink_to(ROOT / "protos")
    for command in commands:
        made = command.replace("protoc -I", f"{sys.executable} -m grpc_tools.protoc -I")
        await asyncio.to_thread(make, made, tmp_path)
    (tmp_path / "bot" / "bot.go").write_text(program)
    build = last.replace("go run . 127.0.0.1:50051", "go build -o running .")
    assert build != last
    await asyncio.to_thread(make, build, tmp_path)
    await lead(gateway, str(tmp_path / "bot" / "running"), gateway.address)
