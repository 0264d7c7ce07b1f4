"""A client of FIX made of a real socket, its numbers given by hand."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from dragonfly_fix.codec import FixDecoder, FixMessage, Garbled, encode, encode_fields
from dragonfly_fix.timestamps import format_timestamp
from patience import patiently
from venue_simulator.book import BookState
from venue_simulator.fix_keys import API_KEY_FILE, PRIVATE_KEY_FILE
from venue_simulator.simulator import Simulator

__all__ = ["FixBook", "FixWire", "dial_fix", "entries", "value"]

HEADER = (34, 49, 52, 56, 25000)
ENTRY_BEGINS = {"W": 269, "X": 279}


class FixWire:
    """A client's end of a session; all that it says is in order unless it is told otherwise."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        key: Ed25519PrivateKey,
        api_key: str,
        sender: str,
    ) -> None:
        self._reader, self.writer = streams
        self._decoder = FixDecoder()
        self._heard: list[FixMessage | Garbled] = []
        self._key = key
        self._api_key = api_key
        self.sender = sender
        self.number = 1
        """Of what is said next."""

    def say(self, kind: str, *fields: tuple[int, Any], late_s: float = 0.0) -> None:
        """Send a message; fields of the header among them come first."""
        self.writer.write(self.frame(kind, *fields, late_s=late_s))

    def frame(self, kind: str, *fields: tuple[int, Any], late_s: float = 0.0) -> bytes:
        sent_at = format_timestamp(time.time_ns() - round(late_s * 1e9)).decode()
        usual = {34: self.number, 49: self.sender, 52: sent_at, 56: "SPOT"}
        header: dict[int, Any] = usual | {tag: it for tag, it in fields if tag in HEADER}
        body = [(tag, it) for tag, it in fields if tag not in HEADER]
        if kind == "A":
            body = [*self._signed(header), *body]
        self.number += 1
        return encode(kind.encode(), _encoded(header.items()), _encoded(body))

    def _signed(self, header: dict[int, Any]) -> list[tuple[int, Any]]:
        parts = ["A", *(str(header[tag]) for tag in (49, 56, 34, 52))]
        signature = base64.b64encode(self._key.sign("\x01".join(parts).encode())).decode()
        return [(95, len(signature)), (96, signature)]

    async def log_on(self, *fields: tuple[int, Any], late_s: float = 0.0) -> FixMessage:
        """Send a Logon, of which `fields` replace some, or leave them out where they are None."""
        usual: dict[int, Any] = {98: 0, 108: 30, 141: "Y", 553: self._api_key, 25035: 2}
        said = [
            (tag, value) for tag, value in {**usual, **dict(fields)}.items() if value is not None
        ]
        self.say("A", *said, late_s=late_s)
        return await self.hear()

    async def subscribe(self, request_id: str, depth: int, *symbols: str) -> None:
        self.ask_for(request_id, depth, *symbols)
        for _ in symbols:
            assert (await self.hear()).type == b"W"

    def ask_for(self, request_id: str, depth: int, *symbols: str) -> None:
        named = [(55, symbol) for symbol in symbols]
        sides = [(267, 2), (269, 0), (269, 1)]
        self.say("V", (262, request_id), (263, 1), (264, depth), (146, len(named)), *named, *sides)

    async def hear(self) -> FixMessage:
        """Return the next message, which is not garbled."""
        found = await self.hear_any()
        assert isinstance(found, FixMessage), found
        return found

    async def hear_any(self) -> FixMessage | Garbled:
        while not self._heard:
            async with patiently():
                data = await self._reader.read(1 << 16)
            assert data, "the venue hung up"
            self._heard += self._decoder.feed(data)
        return self._heard.pop(0)

    async def hung_up(self) -> list[FixMessage | Garbled]:
        """Return what is heard until the venue closes the connection."""
        async with patiently():
            while data := await self._reader.read(1 << 16):
                self._heard += self._decoder.feed(data)
        return self._heard


@asynccontextmanager
async def dial_fix(simulator: Simulator, sender: str = "TEST") -> AsyncIterator[FixWire]:
    """Connect with the pair that the simulator made; the connection is cut at the end."""
    assert simulator.fix is not None
    keys = simulator.fix.keys
    key = load_pem_private_key((keys / PRIVATE_KEY_FILE).read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    host, _, port = simulator.fix.address.rpartition(":")
    streams = await asyncio.open_connection(host, int(port))
    try:
        yield FixWire(streams, key, (keys / API_KEY_FILE).read_text(), sender)
    finally:
        streams[1].transport.abort()


def value(message: FixMessage, tag: int) -> str | None:
    found = message.get(tag)
    return None if found is None else found.decode()


def entries(message: FixMessage) -> Iterator[dict[int, str]]:
    """Yield the entries of a W or X; what an entry leaves out is as in the one before."""
    begins, said = ENTRY_BEGINS[message.type.decode()], dict[int, str]()
    at = next((i for i, (tag, _) in enumerate(message.fields) if tag == begins), None)
    for tag, text in () if at is None else message.fields[at:]:
        if tag == begins and begins in said:
            yield said
            said = {kept: said[kept] for kept in (55, 25043, 25044) if kept in said}
        said[tag] = text.decode()
    if at is not None:
        yield said


class FixBook:
    """A book that is built of W and X, as fix-api.md says."""

    def __init__(self, snapshot: FixMessage) -> None:
        self.last_id = int(value(snapshot, 25044) or 0)
        self.sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for entry in entries(snapshot):
            self.sides[int(entry[269])][entry[270]] = entry[271]

    def apply(self, change: FixMessage) -> None:
        changes = list(entries(change))
        assert len(changes) == int(value(change, 268) or 0)
        [(first_id, last_id)] = {(int(one[25043]), int(one[25044])) for one in changes}
        assert first_id == self.last_id + 1, "a change is missing"
        self.last_id = last_id
        for one in changes:
            side = self.sides[int(one[269])]
            if one[279] == "2":
                del side[one[270]]
            else:
                assert (one[279] == "1") is (one[270] in side), "new, or changed"
                side[one[270]] = one[271]

    def shows(self, state: BookState) -> bool:
        """Say whether it is this state of the truth."""
        truth = (dict(state.bids), dict(state.asks))
        return self.last_id == state.venue_seq and self.sides == truth


def _encoded(fields: Any) -> bytes:
    return encode_fields([(tag, str(value).encode()) for tag, value in fields])
