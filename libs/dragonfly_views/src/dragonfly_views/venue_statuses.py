"""The venues: their states, and the instruments that they list and follow. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from dragonfly_common.codec import unpack_markets
from dragonfly_common.errors import DecodeError
from dragonfly_common.listings import Listings
from dragonfly_common.messages import Instruments, ListedMarket, VenueStatus
from dragonfly_common.printable import LONGEST_SENTENCE, printable
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from msgspec.structs import replace

__all__ = ["VenueStatuses"]

# Stands for the gateway among the sources, once every aggregator is lost.
_GATEWAY: Final = ""


@dataclass(frozen=True)
class _Report:
    venue: VenueStatus
    ts_pub: int


class VenueStatuses:
    """The venues as the aggregators report them.

    What a lost aggregator reported of a venue's state is void. The venue's instruments stay: they
    are reference data, and a caller that comes meanwhile asks for nothing unknown.
    """

    def __init__(self, settles_after_s: float) -> None:
        """Venues come one by one: all are there when none came for `settles_after_s`."""
        self._settles_after_s = settles_after_s
        self._sources: set[str] = set()
        self._grew_at = 0.0
        self._venues: dict[str, dict[str, _Report]] = {}
        self.listings = Listings()
        self._lists = self.listings.names
        self._listings: dict[str, Instruments] = {}
        self._listed_at: dict[str, int] = {}
        self._encoded: bytes | None = None
        self._encoded_lists: dict[str, bytes] = {}
        self._lots: dict[str, dict[str, Decimal]] = {}
        self.version = 0
        """Rises with each change of a venue's state."""

    @property
    def venues(self) -> list[str]:
        """Every venue that was ever reported, by name."""
        return sorted(self._venues.keys() | self._lists.keys())

    def is_live(self) -> bool:
        """An aggregator that is there reports a live venue."""
        return any(self._state_of(venue).venue.state is FeedState.LIVE for venue in self._venues)

    def is_settled(self, now: float) -> bool:
        """No more venues are to come: for a while no aggregator or venue was new."""
        return now - self._grew_at >= self._settles_after_s

    def is_complete(self, now: float) -> bool:
        """Every venue has said what it lists; there is one, and no more are to come."""
        return self.is_settled(now) and bool(self._lists) and not self.unlisted

    @property
    def unlisted(self) -> list[str]:
        """Venues whose instruments are not known yet."""
        return sorted(self._venues.keys() - self._lists.keys())

    @property
    def encoded_venues(self) -> bytes:
        """The venues' states as an encoded dragonfly.v1.Venues, by name."""
        if self._encoded is None:
            venues = [_encode(self._state_of(name)) for name in sorted(self._venues)]
            self._encoded = pb.Venues(venues=venues).SerializeToString()
        return self._encoded

    def on_venue(self, publisher: str, venue: VenueStatus, ts_pub: int, now: float) -> None:
        """Take what an aggregator reports of a venue."""
        if publisher not in self._sources or venue.venue not in self._venues:
            self._sources.add(publisher)
            self._grew_at = now
        reports = self._venues.setdefault(venue.venue, {})
        reports.pop(_GATEWAY, None)
        before = reports.get(publisher)
        reports[publisher] = _Report(venue, ts_pub)
        if before is None or replace(before.venue, feeds=venue.feeds) != venue:
            self._changed()

    def on_instruments(self, listing: Instruments, ts_pub: int) -> None:
        """Take what a venue lists, as it was told at `ts_pub`."""
        self.listings.take(listing)
        self._listings[listing.venue] = listing
        self._encoded_lists.clear()
        self._lots.clear()
        self._listed_at[listing.venue] = listing.ts_listed or ts_pub

    def on_lost(self, publisher: str, reason: str, now_ns: int) -> None:
        """Void an aggregator's reports; a venue that no other one reports is DOWN."""
        self._sources.discard(publisher)
        for name, reports in self._venues.items():
            if reports.pop(publisher, None) is not None:
                self._changed()
            if not reports:
                why = f"aggregator lost: {reason}"
                reports[_GATEWAY] = _Report(
                    VenueStatus(name, FeedState.DOWN, why, "", 0, 0, 0, now_ns), now_ns
                )

    def newer_than(self, version: int) -> Callable[[], bool]:
        """Return what says whether a venue's state changed since `version`."""
        return lambda: self.version != version

    def lists(self, instrument: str) -> bool:
        """Return whether any venue lists `instrument`."""
        return self.listings.lists(instrument)

    def listers(self, instrument: str) -> list[str]:
        """Return the venues that list `instrument`, by name."""
        return sorted(venue for venue, names in self._lists.items() if instrument in names)

    def markets(self, instrument: str) -> dict[str, ListedMarket]:
        """Return what each venue that lists `instrument` tells of it; not those that tell none."""
        return {
            venue: market
            for venue in self.listers(instrument)
            for _, market in _markets(self._listings[venue], instrument)
        }

    def is_listed_since(self, ts: int) -> bool:
        """Return whether each venue that can has told its list since `ts`."""
        return all(
            told >= ts
            or (venue in self._venues and self._state_of(venue).venue.state is FeedState.DOWN)
            for venue, told in self._listed_at.items()
        )

    def lots(self, instrument: str) -> Mapping[str, Decimal]:
        """Return what amounts of `instrument` are multiples of, by venue that tells it."""
        if instrument not in self._lots:
            told = {
                venue: _lot(market.lot)
                for venue in self.listers(instrument)
                for _, market in _markets(self._listings[venue], instrument)
            }
            self._lots[instrument] = {venue: lot for venue, lot in told.items() if lot}
        return self._lots[instrument]

    def encode_instruments(self, venue: str = "", instrument: str = "") -> bytes:
        """Encode a dragonfly.v1.ListInstrumentsResponse of one venue or instrument, or of all.

        Of all it is without markets: those of fifteen venues are more than a message should hold.
        """
        if instrument:
            return self._encode_list(venue, instrument)
        if venue not in self._encoded_lists:  # 15 lists of 3,500 take 90 ms
            self._encoded_lists[venue] = self._encode_list(venue, "")
        return self._encoded_lists[venue]

    def _encode_list(self, venue: str, instrument: str) -> bytes:
        by_name: dict[str, list[str]] = {}
        markets: dict[str, list[pb.Market]] = {}
        listings = [self._listings[name] for name in ([venue] if venue else sorted(self._lists))]
        for listing in listings:
            for name in listing.names:
                if instrument in ("", name):
                    by_name.setdefault(name, []).append(listing.venue)
            if venue or instrument:
                for name, market in _markets(listing, instrument):
                    markets.setdefault(name, []).append(_encode_market(listing.venue, market))
        return pb.ListInstrumentsResponse(
            instruments=[
                pb.Instrument(
                    instrument=name,
                    venues=by_name[name],
                    markets=markets.get(name),
                    feeds=self._standings(name) if instrument else (),
                )
                for name in sorted(by_name)
            ],
            left_out={listing.venue: listing.left_out for listing in listings},
        ).SerializeToString()

    def _standings(self, instrument: str) -> list[pb.FeedStanding]:
        return [
            pb.FeedStanding(
                venue=venue,
                state=f"STATE_{feed.state.name}",
                since=feed.since,
                audited_at=feed.audited_at,
                audit_agreed=feed.agreed,
            )
            for venue in sorted(self._venues)
            for feed in self._state_of(venue).venue.feeds
            if feed.instrument == instrument
        ]

    def has_list_of(self, venue: str) -> bool:
        """Return whether the instruments of `venue` are known; of any venue if it is empty."""
        return venue in self._lists if venue else bool(self._lists)

    def _changed(self) -> None:
        self.version += 1
        self._encoded = None

    def _state_of(self, venue: str) -> _Report:
        return max(
            self._venues[venue].values(),
            key=lambda report: (report.venue.state is FeedState.LIVE, report.ts_pub),
        )


def _markets(listing: Instruments, instrument: str) -> list[tuple[str, ListedMarket]]:
    try:
        return list(unpack_markets(listing, instrument))
    except DecodeError:  # of a listener of another version
        return []


def _lot(text: str | None) -> Decimal | None:
    try:
        lot = Decimal(text or 0)
    except InvalidOperation:  # of a listener of another make
        return None
    return lot if lot.is_finite() and lot > 0 else None


def _encode_market(venue: str, market: ListedMarket) -> pb.Market:
    return pb.Market(
        venue=venue,
        symbol=printable(market.symbol),
        halted=market.halted,
        status=printable(market.word),
        tick=printable(market.tick or ""),
        lot=printable(market.lot or ""),
        min_amount=printable(market.min_amount or ""),
        min_notional=printable(market.min_notional or ""),
    )


def _encode(report: _Report) -> pb.Venue:
    venue = report.venue
    return pb.Venue(
        venue=venue.venue,
        state=f"STATE_{venue.state.name}",
        reason=printable(venue.reason, LONGEST_SENTENCE),
        listener=printable(venue.listener),
        connections=venue.connections,
        instruments=venue.instruments,
        instruments_live=venue.instruments_live,
        ts_pub=report.ts_pub,
        since=venue.since,
    )
