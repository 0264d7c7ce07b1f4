"""QuickFIX trades through our FIX gateway, over TLS, and loses its line in the middle."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from dragonfly_fix.codec import FixMessage, decode_fields
from dragonfly_views.tokens import hash_token
from fix_engines import ENGINES, PORT, Missing, Place, token_of
from order_desk_customer import judge
from patience import eventually
from system import VENUES, System

pytestmark = [pytest.mark.fix_interop, pytest.mark.timeout(1200)]

ETH = "55=ETH-BTC"


class QuickFix:
    """The process, and what it printed."""

    def __init__(self, words: list[str], output: Path) -> None:
        self._output = output
        with output.open("wb") as lines:
            self._popen = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=lines, cwd=output.parent
            )

    def say(self, line: str) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(line.encode() + b"\n")
        self._popen.stdin.flush()

    def lines(self) -> list[bytes]:
        return self._output.read_bytes().split(b"\n")[:-1]

    def messages(self) -> list[FixMessage]:
        """Return what it was sent, in the order in which it took it."""
        found = []
        for line in self.lines():
            word, _, message = line.partition(b" ")
            if word == b"in":
                (_, kind), *fields = decode_fields(message)[2:]
                found.append(FixMessage(kind, fields))
        return found

    async def until(self, name: str, exec_type: str, times: int = 1) -> FixMessage:
        """Wait for an order's ExecutionReport of a kind, and return the last one."""
        wanted = (name.encode(), exec_type.encode())

        def found() -> list[FixMessage]:
            return [m for m in self.messages() if (m.get(11), m.get(150)) == wanted]

        await eventually(lambda: len(found()) >= times, f"{name} has 150={exec_type}")
        return found()[-1]

    def stop(self) -> None:
        self._popen.kill()
        self._popen.communicate()


def twap(name: str, quantity: str, seconds: float) -> str:
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    return (
        f"D 11={name}|{ETH}|54=1|38={quantity}|40=1|126={end:%Y%m%d-%H:%M:%S}"
        "|848=strategy=twap;interval_s=1;max_slippage_bps=500"
    )


async def test_quickfix_trades_and_gets_what_it_missed(tmp_path: Path) -> None:
    authority = trustme.CA()
    papers = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    papers.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    papers.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    token = hash_token(token_of("quickfix"))
    (tmp_path / "tokens.toml").write_text(
        f'[bots.quickfix]\ntoken_sha256 = "{token}"\nscopes = ["trade"]\n'
    )
    for secret in ("key.pem", "tokens.toml"):
        (tmp_path / secret).chmod(0o600)
    try:
        words = [*ENGINES["quickfix"](Place(tmp_path / "ca.pem", tmp_path))]
    except Missing as error:
        pytest.skip(str(error))
    program = next(word for word in words if word.endswith("quickfix_client.py"))
    with System(tmp_path) as system:
        await system.start_simulator("--rate=5", "--seed=4")
        await asyncio.gather(
            *(system.start_listener(venue) for venue in VENUES), system.start_aggregator()
        )
        await system.start_engine("--instrument=ETH-BTC")
        address = await system.start_fix_gateway(
            f"--engine={system.address('engine')}",
            f"--order-store={tmp_path}/fix-orders",
            f"--tls-cert={tmp_path}/cert.pem",
            f"--tls-key={tmp_path}/key.pem",
            f"--tokens={tmp_path}/tokens.toml",
        )
        port = address.rpartition(":")[2]
        words = [port if word == PORT else word for word in words]
        words[words.index(program)] = program.replace("quickfix_client", "quickfix_desk")
        desk = QuickFix(words, tmp_path / "desk.lines")
        try:
            desk.say("on")
            await eventually(lambda: b"up" in desk.lines(), "it is logged on")
            names = iter(range(1000))

            async def taken() -> bool:
                name = f"try-{next(names)}"
                desk.say(twap(name, "30", 3600))

                def answers() -> list[FixMessage]:
                    return [one for one in desk.messages() if one.get(11) == name.encode()]

                await eventually(lambda: bool(answers()), "an answer")
                return answers()[0].get(150) == b"0"

            await eventually(taken, "the engine takes orders")
            desk.say(twap("whole", "20", 30))
            await desk.until("whole", "F", 2)
            # Another is cancelled.
            desk.say(twap("other", "30", 3600))
            await desk.until("other", "F")
            desk.say(f"F 11=end|41=other|{ETH}|54=1")
            await desk.until("end", "4")
            # The line breaks, and the order goes on.
            desk.say("off")
            await eventually(lambda: b"off" in desk.lines(), "the line broke")
            before = len(desk.messages())
            await asyncio.sleep(8.0)
            desk.say("on")
            await eventually(
                lambda: any(one.get(43) == b"Y" for one in desk.messages()[before:]),
                "what it missed is sent again",
            )
            await eventually(
                lambda: any(
                    one.get(11) == b"whole" and one.get(39) in {b"2", b"C"}
                    for one in desk.messages()
                ),
                "the order's end",
            )
        finally:
            desk.stop()
        bad = [line for line in desk.lines() if line.startswith(b"bad")]
        assert bad == []
        for order_id in {one.get(37) for one in desk.messages() if one.get(150) == b"0"}:
            judge([one for one in desk.messages() if one.get(37) == order_id])
