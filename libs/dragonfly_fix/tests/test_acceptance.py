"""QuickFIX's acceptance scripts against our session: each is a test, so pytest counts them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import pytest
from echo_server import EchoServer
from fix_world import SCRIPTS
from patience import PATIENCE_S, patiently

RUNNER: Final = SCRIPTS.parent / "tools" / "fix_def_runner.py"
ALL: Final = sorted(SCRIPTS.glob("*.def"))
SILENT: Final = {"4a_NoDataSentDuringHeartBtInt": PATIENCE_S, "6_SendTestRequest": 2.0}
"""Scripts that wait for heartbeats, and how long each may take to answer one. The second leaves
some unanswered."""
FAST: Final = 20.0
SLOW: Final = 0.1
"""Of a clock whose heartbeats nobody waits for."""
ANSWERED_OTHERWISE: Final[dict[str, str]] = {}
"""Scripts that are answered differently on purpose, with the reason: none."""

pytestmark = [pytest.mark.needs(SCRIPTS), pytest.mark.needs(RUNNER)]


def test_there_are_59_scripts() -> None:
    assert len(ALL) == 59
    assert ANSWERED_OTHERWISE.keys() <= {script.stem for script in ALL}


@pytest.mark.parametrize("script", ALL, ids=lambda script: script.stem)
async def test_a_script_is_answered_as_quickfix_answers_it(script: Path) -> None:
    if script.stem in ANSWERED_OTHERWISE:
        pytest.skip(ANSWERED_OTHERWISE[script.stem])
    silent = script.stem in SILENT
    async with (
        EchoServer(FAST if silent else SLOW, SILENT.get(script.stem, 0.0)) as server,
        patiently(),
    ):
        runner = await asyncio.create_subprocess_exec(
            *(sys.executable, RUNNER, "127.0.0.1", str(server.port)),
            *(SCRIPTS / "fields.fmt", script),
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await runner.communicate()
    assert told.startswith(b"1 passed, 0 failed"), told.decode()
