"""A gateway of another protocol, as a program: a line of JSON for each book, over plain TCP.

    python line_gateway.py UPSTREAM TOKENS

It prints its port. Who connects sends one line, `TOKEN INSTRUMENT DEPTH`, and is sent a line for
each state of the book, or one that says why not. It is what a gateway needs beside dragonfly_views.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import closing, suppress
from pathlib import Path

from dragonfly_common.bus import drive
from dragonfly_common.clock import SystemClock
from dragonfly_common.topics import ViewKind
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.access import Access
from dragonfly_views.accounts import Caller
from dragonfly_views.mailbox import Mailbox
from dragonfly_views.refusals import (
    CallRefusedError,
    RefusalCode,
    check_depth,
    check_instrument,
    invalid,
)
from dragonfly_views.relay import Reader, ViewKey
from dragonfly_views.views import Views, sealed


class LineGateway:
    """What is this protocol's own: reading a line, writing lines, and when to look for more."""

    def __init__(self, upstream: str, tokens: Path) -> None:
        self._clock = SystemClock()
        self._access = Access(tokens, 8, self._clock)
        self._news: set[asyncio.Event] = set()
        self.views = Views(
            [upstream],
            self._clock,
            always=(),
            linger_s=0.1,
            patience_s=60.0,
            settles_after_s=0.1,
            lists_command="LIST",
        )

    def on_activity(self) -> None:
        """Take what the bus brought, and do what is due."""
        stood_still = self.views.drain()
        self.views.look(self.views.drained_at)
        if self._access.refresh(self.views.drained_at) or stood_still:
            for news in self._news:
                news.set()

    async def serve(self, lines: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with closing(out), suppress(ConnectionError):
            try:
                await self._follow(lines, out)
            except CallRefusedError as error:
                _write(out, {"refused": error.code.value, "sentence": error.sentence})
            await out.drain()

    async def _follow(self, lines: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        words = (await lines.readline()).decode(errors="replace").split()
        if len(words) != 3 or not words[2].isdecimal():
            raise invalid("a line is TOKEN INSTRUMENT DEPTH: send the three of them")
        token, instrument, depth = words[0], words[1], check_depth(int(words[2]), 10)
        host, port = out.get_extra_info("peername")
        caller = self._access.admit(f"{host}:{port}", token=token)
        key = ViewKey(ViewKind.BOOK, check_instrument(instrument, self.views.statuses.lists))
        with caller.account.stream(caller.peer):
            await self.views.require_listed(key.instrument)
            news = asyncio.Event()
            left = asyncio.create_task(lines.read())
            left.add_done_callback(lambda _: news.set())
            mailbox: Reader = Mailbox(news.set)
            self._news.add(news)
            try:
                with self.views.following(caller, mailbox, (key,)):
                    while not left.done():
                        self._send(mailbox, depth, caller, out)
                        await out.drain()
                        await news.wait()
                        news.clear()
            finally:
                self._news.discard(news)
                left.cancel()

    def _send(self, mailbox: Reader, depth: int, caller: Caller, out: asyncio.StreamWriter) -> None:
        if self._access.revoked(caller):
            raise CallRefusedError(RefusalCode.UNKNOWN_CALLER, "the token holds no more")
        while self.views.current() and (mail := mailbox.take()) is not None:
            body = sealed(mail, depth, self._clock.now_ns())
            if body is not None:
                book = pb.Book.FromString(body)
                _write(
                    out,
                    {
                        "instrument": book.instrument,
                        "live": book.live,
                        "bids": [[level.price, level.amount] for level in book.bids],
                        "venues": {feed.venue: feed.reason for feed in book.venues},
                        "stamped": book.ts_out > 0,
                    },
                )


def _write(out: asyncio.StreamWriter, facts: dict[str, object]) -> None:
    out.write(json.dumps(facts).encode() + b"\n")


async def main(upstream: str, tokens: Path) -> None:
    gateway = LineGateway(upstream, tokens)
    with closing(gateway.views):
        server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
        async with server:
            sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
            sys.stdout.flush()
            await drive((gateway.views.subscriber,), gateway.on_activity)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
