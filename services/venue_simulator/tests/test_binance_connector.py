"""Binance's own client of FIX, over TLS, judged by the truth: it comes from PyPI, `make judges`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme
from dragonfly_fix.codec import FixMessage
from fix_client import FixBook, value
from patience import patiently
from venue_client import last_state
from venue_simulator.fix_keys import API_KEY_FILE, PRIVATE_KEY_FILE
from venue_simulator.simulator import Simulator

JUDGE = Path(sys.prefix) / "judges" / "bin" / "python"
CLIENT = Path(__file__).with_name("binance_connector.py")
CHANGES = 100


@pytest.mark.skipif(not JUDGE.exists(), reason="binance-fix-connector is not here: make judges")
async def test_the_venues_own_client_logs_on_and_reads_the_depth(
    simulate: Callable[..., Awaitable[Simulator]], tmp_path: Path
) -> None:
    authority = trustme.CA()
    trusted, certificate, private = (tmp_path / name for name in ("ca", "cert", "key"))
    authority.cert_pem.write_to_path(trusted)
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(private)
    private.chmod(0o600)
    simulator = await simulate(
        venues=("binance",), fix="127.0.0.1:0", tls_cert=certificate, tls_key=private
    )
    assert simulator.fix is not None
    keys = simulator.fix.keys
    endpoint = f"tcp+tls://localhost:{simulator.fix.address.rpartition(':')[2]}"
    words = (endpoint, keys / PRIVATE_KEY_FILE, keys / API_KEY_FILE, "ETHBTC", CHANGES)
    client = await asyncio.create_subprocess_exec(
        *map(str, (JUDGE, CLIENT, *words)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "SSL_CERT_FILE": str(trusted)},
    )
    assert client.stdout is not None

    async def hear() -> FixMessage:
        assert client.stdout is not None
        async with patiently():
            line = await client.stdout.readline()
        assert line, "it ended"
        fields = [(tag, text.encode()) for tag, text in json.loads(line)]
        return FixMessage(dict(fields)[35], fields)

    try:
        assert value(await hear(), 49) == "SPOT"
        book = FixBook(await hear())
        assert book.shows(last_state(simulator, "binance"))
        for _ in range(CHANGES):
            simulator.step()
            book.apply(await hear())
            assert book.shows(last_state(simulator, "binance"))
        assert (await hear()).type == b"5"
        async with patiently():
            assert await client.wait() == 0
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()
