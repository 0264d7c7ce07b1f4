"""Faults of a venue: their kinds, how they are written down, and those that are on right now.

A fault is a moment or a state:

    moments           close, reset, announced_close, list, skipped_number
    states            silence, mute, not_accepting, unknown_symbol, halt, post_only, rest_429,
                      rest_slow, http_302, http_403, http_404, http_418, http_451, http_503,
                      id_in_use, too_many_streams
    spoilt frames     malformed, gap, duplicate, reorder, bad_checksum, lying
    spoilt books      crossed
    spoilt orders     request_lost, reply_lost, reply_late, reply_5xx, cancel_race, cancel_too_late
    spoilt events     event_lost, event_twice, event_reordered, stream_closed
    states of orders  orders_429, clock_skew, token_expired, orders_lag

States last until they are ended. A spoilt frame, book, order or event without a duration is the
next one alone; with a duration it is each one while that lasts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dragonfly_common.errors import ConfigError, UserError
from dragonfly_common.types import normalise_instrument

__all__ = [
    "DEFAULT_SECONDS",
    "EVENT_FAULTS",
    "FRAME_FAULTS",
    "MAX_SECONDS",
    "MOMENTS",
    "REQUEST_FAULTS",
    "TRADING_FAULTS",
    "ActiveFaults",
    "Fault",
    "FaultKind",
    "PlannedFault",
    "check_kind",
    "check_venue",
    "make_fault",
    "parse_planned_fault",
    "parse_seconds",
]

DEFAULT_SECONDS: Final = 3.0
"""How long a state lasts, and how long before it is kept a closing is announced."""

MAX_SECONDS: Final = 86_400.0
"""The longest that a fault lasts, waits or repeats after; `fault --clear` ends it sooner."""


class FaultKind(StrEnum):
    """Every way in which a simulated venue fails; the value is what a person writes."""

    CLOSE = "close"
    """All connections are closed properly, code 1001."""
    RESET = "reset"
    """All connections are cut with a TCP reset."""
    ANNOUNCED_CLOSE = "announced_close"
    """All clients are told, in the venue's own way; the closing follows."""
    SILENCE = "silence"
    """Open sockets on which nothing is sent, not even pongs; new ones are not answered."""
    MUTE = "mute"
    """Books stop; acknowledgements, heartbeats, pings and pongs go on."""
    NOT_ACCEPTING = "not_accepting"
    """New connections are reset."""
    UNKNOWN_SYMBOL = "unknown_symbol"
    """The venue does not know the instrument: delisted, not fed, and listed again afterwards."""
    LIST = "list"
    """The venue lists an instrument that no venue traded so far."""
    HALT = "halt"
    """Nobody can trade, as the venue says in its own way: books stand still, all else goes on."""
    POST_ONLY = "post_only"
    """Only orders that rest are taken, as the venue says (Kraken; others have no such state)."""
    REST_429 = "rest_429"
    """REST says that it was asked too often."""
    REST_SLOW = "rest_slow"
    """REST answers late, with what was true when it was asked."""
    HTTP_302 = "http_302"
    """REST and new connections are sent elsewhere."""
    HTTP_403 = "http_403"
    """REST and new connections are refused by what stands before the venue."""
    HTTP_404 = "http_404"
    """REST and new connections find nothing, as while a venue is being deployed."""
    HTTP_418 = "http_418"
    """REST and new connections are banned, and told for how long."""
    HTTP_451 = "http_451"
    """REST and new connections are refused for legal reasons."""
    HTTP_503 = "http_503"
    """REST and new connections get a page that says maintenance."""
    MALFORMED = "malformed"
    """A book frame is cut in half."""
    GAP = "gap"
    """A book frame is not sent."""
    DUPLICATE = "duplicate"
    """A book frame is sent twice."""
    REORDER = "reorder"
    """A book frame is sent after its successor."""
    BAD_CHECKSUM = "bad_checksum"
    """A book frame's checksum does not hold (Bitfinex, Kraken; most have none)."""
    CROSSED = "crossed"
    """The book itself is crossed."""
    LYING = "lying"
    """A book frame shows another amount at the best bid than the book has; all else holds."""
    REQUEST_LOST = "request_lost"
    """An order, or a cancel, never reaches the venue's engine, and is not answered."""
    REPLY_LOST = "reply_lost"
    """An order, or a cancel, is done and never answered."""
    REPLY_LATE = "reply_late"
    """An order, or a cancel, is done; after 10 s the answer is that its outcome is unknown."""
    REPLY_5XX = "reply_5xx"
    """An order, or a cancel, is done; the answer is an internal error."""
    CANCEL_RACE = "cancel_race"
    """Half of what an order has left fills just before its cancel, which succeeds."""
    CANCEL_TOO_LATE = "cancel_too_late"
    """An order fills just before its cancel, which finds no such order."""
    EVENT_LOST = "event_lost"
    """An event of an order is sent to nobody."""
    EVENT_TWICE = "event_twice"
    """An event of an order is sent twice."""
    EVENT_REORDERED = "event_reordered"
    """An event of an order is sent after its successor."""
    STREAM_CLOSED = "stream_closed"
    """In place of a fill's event, the connections that would get it are closed."""
    ORDERS_429 = "orders_429"
    """Signed requests are too many; who does not wait as long as it is told is banned."""
    CLOCK_SKEW = "clock_skew"
    """The venue's clock is 10 s ahead of ours: what is signed by our time is refused."""
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a fault's name
    """Tokens for private streams are refused (Bitstamp, Kraken; others have none)."""
    ORDERS_LAG = "orders_lag"
    """Queries show orders as they were a second ago."""
    SKIPPED_NUMBER = "skipped_number"
    """FIX: all sessions leave out a MsgSeqNum (34), as if a message were lost."""
    ID_IN_USE = "id_in_use"
    """FIX: the SenderCompID (49) of each new Logon is said to be in use."""
    TOO_MANY_STREAMS = "too_many_streams"
    """FIX: each new subscription is refused, as one too many for its connection."""


MOMENTS: Final = frozenset(
    {FaultKind.CLOSE, FaultKind.RESET, FaultKind.LIST, FaultKind.SKIPPED_NUMBER}
)
"""Faults that do not last."""
TRADING_FAULTS: Final = frozenset(
    {FaultKind.HALT, FaultKind.POST_ONLY, FaultKind.UNKNOWN_SYMBOL, FaultKind.LIST}
)
"""Faults that change what the venue says of an instrument, or of itself."""
FRAME_FAULTS: Final = frozenset(
    {
        FaultKind.MALFORMED,
        FaultKind.GAP,
        FaultKind.DUPLICATE,
        FaultKind.REORDER,
        FaultKind.BAD_CHECKSUM,
        FaultKind.LYING,
    }
)
EVENT_FAULTS: Final = frozenset(
    {
        FaultKind.EVENT_LOST,
        FaultKind.EVENT_TWICE,
        FaultKind.EVENT_REORDERED,
        FaultKind.STREAM_CLOSED,
    }
)
CANCEL_FAULTS: Final = frozenset({FaultKind.CANCEL_RACE, FaultKind.CANCEL_TOO_LATE})
REQUEST_FAULTS: Final = frozenset(
    {
        FaultKind.REQUEST_LOST,
        FaultKind.REPLY_LOST,
        FaultKind.REPLY_LATE,
        FaultKind.REPLY_5XX,
    }
)
OF_A_BOOK: Final = (
    FRAME_FAULTS
    | TRADING_FAULTS
    | EVENT_FAULTS
    | CANCEL_FAULTS
    | {FaultKind.MUTE, FaultKind.CROSSED, FaultKind.ORDERS_LAG}
)
"""Faults that may be confined to one instrument."""
ONE_SHOT: Final = FRAME_FAULTS | EVENT_FAULTS | CANCEL_FAULTS | REQUEST_FAULTS | {FaultKind.CROSSED}
"""Faults that without a duration spoil the next frame, book, order or event only."""

_RULE: Final = "write VENUE KIND [at=S] [for=S] [every=S] [instrument=BASE-QUOTE]"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `seconds` None is a moment, or the next frame alone."""

    venue: str
    kind: FaultKind
    instrument: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault that comes `at_s` seconds after the start, and again `every_s`."""

    fault: Fault
    at_s: float
    every_s: float | None


def make_fault(
    venue: str,
    kind: str,
    instrument: str | None = None,
    seconds: float | None = None,
    *,
    venues: Iterable[str],
) -> Fault:
    """Return the fault that a person named.

    Raises:
        ConfigError: there is no such venue or kind, or what is said of it does not fit.
        InstrumentError: `instrument` is not one.
    """
    check_venue(venue, venues)
    which = check_kind(kind)
    if instrument is not None and which not in OF_A_BOOK:
        raise ConfigError(
            f"{kind} takes no instrument, it befalls the whole venue: "
            f"leave it out, or name {_one_of(sorted(OF_A_BOOK))}"
        )
    if instrument is None and which in {FaultKind.UNKNOWN_SYMBOL, FaultKind.LIST}:
        raise ConfigError(f"{kind} needs an instrument: add one, for example ETH-BTC")
    if seconds is not None and which in MOMENTS:
        raise ConfigError(f"{kind} is a moment and takes no seconds: leave them out")
    if seconds is None and which not in ONE_SHOT | MOMENTS:
        seconds = DEFAULT_SECONDS
    name = None if instrument is None else normalise_instrument(instrument)
    return Fault(venue, which, name, seconds)


def check_venue(venue: str, venues: Iterable[str]) -> str:
    """Return `venue` if it is one of `venues`.

    Raises:
        ConfigError: it is not.
    """
    known = sorted(venues)
    if venue not in known:
        raise ConfigError(f"no simulated venue {venue!r} for a fault: name {_one_of(known)}")
    return venue


def check_kind(kind: str) -> FaultKind:
    """Return the kind of fault that a person named.

    Raises:
        ConfigError: there is none of that name.
    """
    if kind not in list(FaultKind):
        raise ConfigError(f"no fault {kind!r}: name {_one_of(list(FaultKind))}")
    return FaultKind(kind)


def parse_planned_fault(text: str, venues: Iterable[str]) -> PlannedFault:
    """Return what `kraken silence at=5 for=3 every=20` says.

    Raises:
        UserError: it breaks a rule; the message names the text and the rule.
    """
    words = text.split()
    if len(words) < 2 or any("=" in word for word in words[:2]):
        raise ConfigError(f"{text!r} is not a fault: {_RULE}")
    options = _parse_options(text, words[2:])
    try:
        fault = make_fault(
            words[0],
            words[1],
            options.get("instrument"),
            parse_seconds(options, "for"),
            venues=venues,
        )
        every_s = parse_seconds(options, "every")
        at_s = parse_seconds(options, "at")
        _check_period(fault, every_s)
    except UserError as error:
        raise ConfigError(f"in the fault {text!r}: {error}") from None
    return PlannedFault(fault, at_s or 0.0, every_s)


class ActiveFaults:
    """The faults that are on at one venue. Pure: others keep the time."""

    def __init__(self) -> None:
        self._lasting: Counter[tuple[FaultKind, str | None]] = Counter()
        self._armed: Counter[tuple[FaultKind, str | None]] = Counter()

    def begin(self, kind: FaultKind, instrument: str | None) -> None:
        """Let it last until `end`; each beginning has its own end."""
        self._lasting[kind, instrument] += 1

    def end(self, kind: FaultKind, instrument: str | None) -> None:
        self._take(self._lasting, (kind, instrument))

    def arm(self, kind: FaultKind, instrument: str | None) -> None:
        """Let it befall the next frame or book."""
        self._armed[kind, instrument] += 1

    def disarm(self, kind: FaultKind | None, instrument: str | None) -> int:
        """Spare the next frames and books; None stands for every kind, every instrument.

        Return how many were to be spoilt.
        """
        meant = [
            armed
            for armed in self._armed
            if kind in {None, armed[0]} and instrument in {None, armed[1]}
        ]
        return sum(self._armed.pop(armed) for armed in meant)

    def lasts(self, kind: FaultKind, instrument: str | None = None) -> bool:
        """Return whether it befalls the venue, or this instrument of it."""
        lasting = self._lasting
        return bool(lasting) and ((kind, None) in lasting or (kind, instrument) in lasting)

    def befalls(self, kind: FaultKind, instrument: str | None) -> bool:
        """Return whether it befalls the next book, order or event of this, and disarm it."""
        armed = self._take(self._armed, (kind, instrument)) or self._take(self._armed, (kind, None))
        return armed or self.lasts(kind, instrument)

    def on_frame(self, instrument: str) -> frozenset[FaultKind]:
        """Return what befalls a frame of `instrument` that is about to be sent."""
        if not (self._lasting or self._armed):
            return frozenset()
        both = self._lasting.keys() | self._armed.keys()
        return frozenset(kind for kind, name in both if name in {None, instrument}) & FRAME_FAULTS

    def spend(self, kinds: Iterable[FaultKind], instrument: str) -> None:
        """Disarm what was armed for the next frame: that one was sent."""
        for kind in kinds:
            for name in (instrument, None):
                if self._take(self._armed, (kind, name)):
                    break

    @staticmethod
    def _take(
        counts: Counter[tuple[FaultKind, str | None]], key: tuple[FaultKind, str | None]
    ) -> bool:
        if key not in counts:
            return False
        counts[key] -= 1
        if not counts[key]:
            del counts[key]
        return True


def _parse_options(text: str, words: Iterable[str]) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if name not in {"at", "for", "every", "instrument"} or not (equals and value):
            raise ConfigError(f"{word!r} in the fault {text!r} is no part of one: {_RULE}")
        options[name] = value
    return options


def parse_seconds(options: Mapping[str, str], name: str) -> float | None:
    """Return the seconds that `options` has under `name`, None where it has none.

    Raises:
        ConfigError: they are no number from 0 to `MAX_SECONDS`.
    """
    if name not in options:
        return None
    try:
        seconds = float(options[name])
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_SECONDS:
        raise ConfigError(
            f"{name}={options[name]} is no number of seconds from 0 to {MAX_SECONDS:g}:"
            f" write {name}=2.5"
        )
    return seconds


def _check_period(fault: Fault, every_s: float | None) -> None:
    if every_s is not None and every_s <= (fault.seconds or 0.0):
        raise ConfigError(
            f"every={every_s:g} comes before the fault is over: let it exceed "
            f"{fault.seconds or 0:g} seconds"
        )


def _one_of(names: Iterable[str]) -> str:
    return ", ".join(names)
