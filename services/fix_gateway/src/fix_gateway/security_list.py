"""What venues list, as SecurityList messages (y). Pure but for the lists that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dragonfly_fix.codec import encode_fields
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.venue_statuses import VenueStatuses

from fix_gateway.market_data import venue_name

__all__ = ["NOT_THERE_YET", "NO_INSTRUMENTS", "UNSUPPORTED", "SecurityLists", "no_list"]

MOST_ENTRIES: Final = 200
"""In one message: some 20 kB."""

VALID: Final = b"0"
UNSUPPORTED: Final = b"1"
NO_INSTRUMENTS: Final = b"2"
NOT_THERE_YET: Final = b"4"
"""SecurityRequestResult (560)."""


class SecurityLists:
    """The lists of venues. An entry, a market of one venue, is made once for each version."""

    def __init__(self, statuses: VenueStatuses) -> None:
        self._statuses = statuses
        self._made: dict[str, tuple[bytes, dict[str, bytes]]] = {}
        """By venue: a version of its list, and entries by instrument."""

    def answer(self, request: bytes, instrument: str = "") -> Iterator[bytes]:
        """Yield the bodies of the SecurityList messages that answer a request (320), in order.

        They are made one by one, as they are asked for: all venues list tens of thousands.
        `instrument` leaves out all others.
        """
        names = {
            venue: [name for name in sorted(listed) if not instrument or name == instrument]
            for venue, listed in sorted(self._statuses.listings.names.items())
        }
        total = sum(map(len, names.values()))
        if not total:
            yield no_list(request, NO_INSTRUMENTS)
            return
        sent = 0
        for venue, wanted in names.items():
            entries = self._entries(venue) if wanted else {}
            for at in range(0, len(wanted), MOST_ENTRIES):
                part = wanted[at : at + MOST_ENTRIES]
                sent += len(part)
                head = encode_fields(
                    [
                        (320, request),
                        (322, b"%b-%d" % (request, sent)),
                        (560, VALID),
                        (393, b"%d" % total),
                        (893, b"Y" if sent >= total else b"N"),
                        (146, b"%d" % len(part)),
                    ]
                )
                # Since the answer began, a venue may have delisted some.
                yield head + b"".join(entries.get(name) or _entry(name, venue) for name in part)

    def _entries(self, venue: str) -> dict[str, bytes]:
        encoded = self._statuses.encode_instruments(venue)
        made = self._made.get(venue)
        if made is None or made[0] is not encoded:
            listed = pb.ListInstrumentsResponse.FromString(encoded).instruments
            entries = {
                one.instrument: _entry(one.instrument, venue, one.markets[:1]) for one in listed
            }
            made = self._made[venue] = (encoded, entries)
        return made[1]


def no_list(request: bytes, result: bytes) -> bytes:
    """Return the body of a SecurityList that has none."""
    fields = [(320, request), (322, request), (560, result), (393, b"0"), (893, b"Y")]
    # A SecurityList has no Text (58) but in its entries.
    return encode_fields(fields)


def _entry(name: str, venue: str, markets: Iterable[pb.Market] = ()) -> bytes:
    fields = [(55, name.encode()), (207, venue_name(venue)), (15, name.rpartition("-")[2].encode())]
    for market in markets:
        # FIX 4.4 has no field for a tick.
        facts = {
            "symbol": market.symbol,
            "tick": market.tick,
            "min_notional": market.min_notional,
            "halted": "yes" if market.halted else "",
            "status": market.status,
        }
        text = ";".join(f"{key}={value}" for key, value in facts.items() if value)
        optional = [(561, market.lot), (562, market.min_amount), (58, text)]
        fields += [(tag, value.encode()) for tag, value in optional if value]
    return encode_fields(fields)
