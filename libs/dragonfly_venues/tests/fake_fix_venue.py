"""A venue of a test's own that speaks Binance's FIX, written from its documents.

Its market is what a test makes of it: `change` is told to whoever follows the symbol.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from dragonfly_common.clock import SystemClock
from dragonfly_fix.codec import Field, FixMessage, decode_fields, encode_fields
from dragonfly_fix.connection import FixConnection
from dragonfly_fix.session import (
    Acceptor,
    Answered,
    FixEvent,
    FixSession,
    LogonAdmitted,
    LogonRefused,
    Received,
    Rules,
)
from dragonfly_fix.store import MemoryStore
from dragonfly_venues.transport import read_fix_key
from dragonfly_venues.venue import FixKey

__all__ = ["API_KEY", "SEED", "FakeFixVenue", "FixPeer", "fix_key", "fix_venue", "key_files"]

SEED = bytes(range(32))
"""Of the private key that the fact sheet's signature is by."""
API_KEY = "the-api-key"


def key_files(folder: Path, seed: bytes = SEED, api_key: str = API_KEY) -> tuple[Path, Path]:
    """Write a key as its owner keeps it."""
    private, name = folder / "fix.pem", folder / "fix.key"
    pem = Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for path, content in ((private, pem), (name, f"{api_key}\n".encode())):
        path.write_bytes(content)
        path.chmod(0o600)
    return private, name


def fix_key(folder: Path, api_key: str = API_KEY) -> FixKey:
    """Return a key that was read from its files."""
    return read_fix_key(*key_files(folder, api_key=api_key))


@dataclass
class FakeMarket:
    """The book of one symbol, by price."""

    seq: int = 0
    bids: dict[str, str] = field(default_factory=dict)
    asks: dict[str, str] = field(default_factory=dict)

    def best(self) -> list[tuple[str, str, str]]:
        bid = max(self.bids, key=float, default=None)
        ask = min(self.asks, key=float, default=None)
        best = [] if bid is None else [("0", bid, self.bids[bid])]
        return best if ask is None else [*best, ("1", ask, self.asks[ask])]


class FixPeer:
    """One session that a client holds."""

    def __init__(self, venue: FakeFixVenue) -> None:
        self._venue = venue
        self.line: FixConnection
        self.logon: FixMessage | None = None
        self.requests: list[dict[int, bytes]] = []
        self.streams: dict[str, tuple[str, str]] = {}
        """Symbol and MarketDepth (264) by MDReqID (262)."""
        self.mute = False

    def on_connected(self, connection: FixConnection) -> FixSession:
        self.line = connection
        self._venue.peers.append(self)
        rules = Rules(recovers=False, checks_received=False)
        return Acceptor(self._admit, self._venue.clock.monotonic(), rules)

    def on_event(self, event: FixEvent) -> None:
        if isinstance(event, Received) and event.message.type == b"V":
            self._request(dict(decode_fields(event.message.frame)))
        assert not isinstance(event, Answered)

    def on_writable(self) -> None: ...

    def on_lost(self) -> None:
        self._venue.peers.remove(self)

    def say(self, kind: str, *fields: tuple[int, str]) -> None:
        """Send a message."""
        if not self.mute:
            self.line.send(kind.encode(), encode_fields([(t, v.encode()) for t, v in fields]))

    def show(self, md_req_id: str, changed: list[tuple[str, str, str]], first: int) -> None:
        """Tell of changes, as the stream of that name does."""
        symbol, depth = self.streams[md_req_id]
        market = self._venue.markets[symbol]
        entries: list[tuple[int, str]] = []
        for side, price, amount in market.best() if depth == "1" else changed:
            # As in the documents: what the entry before said is left out.
            entries += [(279, "1" if float(amount) else "2"), (270, price)]
            entries += [(271, amount)] if float(amount) else []
            entries.append((269, side))
            if len(entries) <= 4:
                entries.append((55, symbol))
                entries += [] if depth == "1" else [(25043, str(first))]
                entries.append((25044, str(market.seq)))
        count = sum(tag == 279 for tag, _ in entries)
        self.say("X", (262, md_req_id), (268, str(count)), *entries)

    def _admit(self, logon: FixMessage) -> LogonAdmitted | LogonRefused:
        self.logon = logon
        signed = b"\x01".join([b"A", *(logon.get(tag) or b"" for tag in (49, 56, 34, 52))])
        public = Ed25519PrivateKey.from_private_bytes(SEED).public_key()
        try:
            public.verify(b64decode(logon.get(96) or b""), signed)
        except InvalidSignature:
            return self._refused(b"Signature for this request is not valid.", b"-1022")
        if logon.get(553) != API_KEY.encode():
            return self._refused(b"Invalid API-key, IP, or permissions for action.", b"-2015")
        return LogonAdmitted(MemoryStore(keeps=False), [(25037, b"uuid")])

    def _refused(self, text: bytes, code: bytes) -> LogonRefused:
        reject: list[Field] = [(58, text), (372, b"A"), (373, b"8"), (25016, code)]
        return LogonRefused(text.decode(), reject)

    def _request(self, fields: Mapping[int, bytes]) -> None:
        self.requests.append(dict(fields))
        name, symbol = fields[262].decode(), fields.get(55, b"").decode()
        if fields[263] == b"2":
            self.streams.pop(name, None)
        elif refusal := self._venue.refusals.get(symbol):
            self.say("Y", (262, name), (281, "2"), (25016, "-1191"), (58, refusal))
        elif symbol not in self._venue.markets:
            number = fields[34].decode()
            text = (58, "Invalid symbol.")
            self.say("3", (45, number), (371, "55"), (372, "V"), (373, "5"), text, (25016, "-1121"))
        else:
            depth = fields[264].decode()
            self.streams[name] = symbol, depth
            market = self._venue.markets[symbol]
            sides = (("0", market.bids), ("1", market.asks))
            whole = [(side, p, a) for side, levels in sides for p, a in levels.items()]
            levels = market.best() if depth == "1" else whole
            entries = [pair for s, p, a in levels for pair in ((269, s), (270, p), (271, a))]
            count = (268, str(len(levels)))
            self.say("W", (262, name), (55, symbol), (25044, str(market.seq)), count, *entries)


class FakeFixVenue:
    """All sessions, and the market."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.markets: dict[str, FakeMarket] = {}
        self.refusals: dict[str, str] = {}
        self.peers: list[FixPeer] = []
        self.url = ""

    def market(self, symbol: str, bids: str, asks: str, seq: int = 100) -> FakeMarket:
        """Make a market, of sides that are written `price:amount …`."""
        sides = (dict(level.split(":") for level in side.split()) for side in (bids, asks))
        self.markets[symbol] = FakeMarket(seq, *sides)
        return self.markets[symbol]

    def change(self, symbol: str, *, bids: str = "", asks: str = "", loses: bool = False) -> None:
        """Change the market, by amounts of which 0 removes; `loses` tells nobody."""
        market = self.markets[symbol]
        first = market.seq + 1
        changed = []
        for side, levels, text in (("0", market.bids, bids), ("1", market.asks, asks)):
            for level in text.split():
                price, amount = level.split(":")
                changed.append((side, price, amount))
                levels[price] = amount
                if not float(amount):
                    del levels[price]
        market.seq += len(changed)
        if not loses:
            for peer in self.peers:
                for name, (followed, _) in peer.streams.items():
                    if followed == symbol:
                        peer.show(name, changed, first)


@contextlib.asynccontextmanager
async def fix_venue(tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeFixVenue]:
    """Serve on loopback."""
    venue = FakeFixVenue()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: FixConnection(FixPeer(venue), venue.clock), "127.0.0.1", 0, ssl=tls
    )
    port = server.sockets[0].getsockname()[1]
    venue.url = f"fix+tls://localhost:{port}" if tls else f"fix://127.0.0.1:{port}"
    try:
        yield venue
    finally:
        server.close()
        for peer in [*venue.peers]:
            peer.line.end("the test is over")
            peer.line.transport.abort()
        await server.wait_closed()
