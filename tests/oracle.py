"""The judge: every view a bot received must be the merge of what the venues' books truly were.

    python tests/oracle.py FOLDER       judges again what a run left behind

A view is
    exact    it equals the merge of the truth at the `venue_seq`s that it names; where it names a
             `book_seq` too, the levels below the best prices are of that; of an equivalence, each
             level is converted by the merge of the truth that its conversion names;
    ordered  nothing goes back: no aggregator's count, no venue;
    honest   a state has its reason, an age follows from the times, no time runs backwards, and who
             is well is not called dead for ever;
    fresh    no state of a venue is shown as LIVE for longer than `within_s` after the venue went on
             to another, except while nobody could know (`Excuse`);
    traded   no venue is shown as LIVE for longer than `halted_within_s` after it said that nobody
             can trade, except while it could not be asked; a LIVE venue has a reason only where it
             restricts trading.

Pure: the simulator's truth log and the received views go in, the first violation comes out. It
shares no code with the aggregator on purpose: a judge that computes with the accused's own
functions would repeat his mistakes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from dragonfly_client import Bbo, Book, Level, Liquidity, MergedLevel, Share, State, VenueFeed, View
from histories import Cut, read_history
from truth import Truth

__all__ = [
    "Excuse",
    "History",
    "Oracle",
    "Rules",
    "Run",
    "Verdict",
    "Violation",
    "expected_spread",
    "judge_folder",
    "misordered",
    "read_run",
]

HALTS: Final = frozenset({"halt", "unknown_symbol"})
"""Faults by which a venue says that nobody can trade."""
RESTRICTIONS: Final = frozenset({"post_only"})
"""Faults by which it says who can."""
CLOCK_NS: Final = 5_000_000
"""By so much the machine's wall clock may be set back without anybody lying."""
_TERM: Final = re.compile(r"([^/@*]+)(?:/([0-9.]+))?(?:@([0-9.]+))?(?:\*(.+))?")
"""A term of an equivalence: instrument, units, factor, conversion."""
AGES_HOLD_NS: Final = 10_000_000
"""How far an age may be behind `ts_out`, as the contract says."""


class Excuse(msgspec.Struct, frozen=True):
    """Nobody could know better between `start` and `end` (ns): of a venue, or at some bots."""

    start: int
    end: int
    venue: str | None = None
    """None: of any."""
    bots: str = ""
    """Those whose names have this in them; "" are all."""
    instrument: str | None = None
    """None: of all."""
    of_halts: bool = False
    """Nobody could know of a halt: the venue's list could not be read."""


_excuses = msgspec.json.Decoder(Excuse)


class Rules(msgspec.Struct, frozen=True):
    """How long a state may be shown after its venue went on to another."""

    within_s: float
    excuses: tuple[Excuse, ...] = ()
    halted_within_s: float | None = None
    """How long a venue may be shown after it said that it is halted."""

    def lag_s(
        self,
        bot: str,
        venue: str,
        instrument: str,
        since: int,
        until: int,
        *,
        of_halts: bool = False,
    ) -> float:
        """Return seconds from `since` to `until` without those that are excused."""
        lag, reached = until - since, since
        for excuse in sorted(self.excuses, key=lambda excuse: excuse.start):
            meant = excuse.venue in {None, venue} and excuse.instrument in {None, instrument}
            if meant and excuse.bots in bot and (of_halts or not excuse.of_halts):
                start, end = max(reached, excuse.start), min(until, excuse.end)
                if end > start:
                    lag -= end - start
                    reached = end
        return lag / 1e9


@dataclass(frozen=True)
class Violation:
    """A received view that breaks a rule, and all it takes to compute it again."""

    rule: str
    detail: str
    view: View
    position: int
    previous: View | None
    bot: str = ""

    def __str__(self) -> str:
        return "\n".join(
            (
                f"{f'{self.bot}: ' if self.bot else ''}{self.rule}: {self.detail}",
                f"view {self.position} of {self.view.instrument}: {self.view!r}",
                f"the one before: {self.previous!r}",
            )
        )


class _BrokenRuleError(Exception):
    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule, self.detail = rule, detail


@dataclass
class Oracle:
    """Judges views against a truth; `depth` is the system's levels a side.

    With `rules` freshness is judged, and times against each other: all are of one clock.
    """

    truth: Truth
    depth: int = 10
    rules: Rules | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """Equivalences that the configuration has a name for."""
    _judged: int = field(default=0, init=False)

    @property
    def judged(self) -> int:
        """How many views were judged and found right."""
        return self._judged

    def first_violation(self, views: Iterable[View]) -> Violation | None:
        """Judge what one bot received of one view of one instrument, in its order."""
        history = History(self)
        return next(filter(None, map(history.take, views)), None)

    def judge(self, view: View) -> None:
        """Judge a view by itself."""
        self._judge_content(view)
        _judge_ages(view)
        if self.rules is not None:
            _judge_times(view)
            self._judge_receipt(view)
        self._judged += 1

    def _judge_content(self, view: View) -> None:
        live = [feed for feed in view.venues if feed.state is State.LIVE]
        received_bids, received_asks = _sides(view)
        _judge_names(view, live, (*received_bids, *received_asks), self.truth)
        for by, rate in zip(view.conversions, self._rates(view).values(), strict=True):
            if rate != (None if by.bid is None or by.ask is None else (by.bid, by.ask)):
                raise _BrokenRuleError("wrong conversion", f"{by.instrument} should be {rate}")
        bids, asks = self._merge(view)
        spread = expected_spread(bids, asks)
        for side, received, levels in (
            ("bids", received_bids, bids),
            ("asks", received_asks, asks),
        ):
            true = _shown(view, levels, self.depth)
            if list(received) != list(true):
                raise _BrokenRuleError("not the merge of the truth", f"{side} should be {true}")
        if view.spread != spread:
            raise _BrokenRuleError("wrong spread", f"{view.spread!r} should be {spread!r}")

    def left(self, view: View, feed: VenueFeed) -> int | None:
        """Return when the venue came into a state with which the view would show something else.

        Until then nobody sends it anew: of a market that rests that can be long.
        """
        (instrument,) = (name for name, one in _feeds(view) if one is feed)
        for venue_seq, ts in self.truth.later(
            feed.venue, instrument, feed.venue_seq, feed.book_seq
        ):
            moved = replace(feed, venue_seq=venue_seq, book_seq=0)
            try:
                sides = self._merge(_with_feed(view, feed, moved))
            except _BrokenRuleError:
                return ts  # crossed in itself: it must be out
            shown = [list(_shown(view, levels, self.depth)) for levels in sides]
            if shown != [list(side) for side in _sides(view)]:
                return ts
        return None

    def _judge_receipt(self, view: View) -> None:
        for instrument, feed in _feeds(view):
            since = self.truth.since(feed.venue, instrument, feed.venue_seq)
            if since is not None and (feed.ts_recv or 0) < since - CLOCK_NS:
                raise _BrokenRuleError(
                    "received before it was", f"{feed.venue}: {feed.ts_recv}, it was at {since}"
                )

    def _merge(self, view: View) -> tuple[list[Level], list[Level]]:
        """Return all levels of a view by the truth, whatever of them it shows."""
        market = self.names.get(view.instrument, view.instrument)
        if "+" not in market:
            return self._merge_true(view.instrument, view.venues)
        rates = self._rates(view)
        bids: list[Level] = []
        asks: list[Level] = []
        for text in market.split("+"):
            term = _TERM.fullmatch(text)
            assert term is not None, text
            instrument, units, factor, by = term.groups()
            feeds = [feed for feed in view.venues if feed.instrument == instrument]
            rate = rates.get(by)
            if by and rate is None and any(feed.state is State.LIVE for feed in feeds):
                raise _BrokenRuleError("live without a conversion", f"{instrument} without {by}")
            for feed in feeds:
                if rate is not None and feed.reason.startswith(f"no live {by}"):
                    raise _BrokenRuleError("out without a reason", f"{feed.venue}: {feed.reason}")
            true = self._merge_true(instrument, feeds)
            for side, levels, at in ((bids, true[0], 0), (asks, true[1], 1)):
                price_by = Fraction(factor or 1) / Fraction(units or 1)
                price_by *= Fraction(repr(rate[at])) if rate is not None else 1
                side += [_converted(one, instrument, price_by, units or "1") for one in levels]
        return _in_order(bids, asks)

    def _rates(self, view: View) -> dict[str, tuple[float, float] | None]:
        """Return the best (bid, ask) of each conversion of a view by the truth."""
        rates: dict[str, tuple[float, float] | None] = {}
        for by in view.conversions:
            bids, asks = self._merge_true(by.instrument, by.venues)
            rates[by.instrument] = (bids[0].price, asks[0].price) if bids and asks else None
        return rates

    def _merge_true(
        self, instrument: str, feeds: Iterable[VenueFeed]
    ) -> tuple[list[Level], list[Level]]:
        bids: list[Level] = []
        asks: list[Level] = []
        for feed in feeds:
            if feed.state is not State.LIVE:
                continue
            if feed.depth > self.depth:
                raise _BrokenRuleError("deeper than the system", f"{feed.venue}: {feed.depth}")
            # Of what a venue proves not to be missing nothing may be, and nothing else is shown.
            depth = feed.depth or self.depth
            if feed.book_seq >= feed.venue_seq:
                raise _BrokenRuleError(
                    "best prices behind their book", f"{feed.venue}: {feed.book_seq}"
                )
            levels = self.truth.levels(feed.venue, instrument, feed.venue_seq, depth, feed.book_seq)
            if levels is None:
                raise _BrokenRuleError(
                    "state that never was", f"{feed.venue} names venue_seq {feed.venue_seq}"
                )
            if all(levels) and levels[0][0].price >= levels[1][0].price:
                raise _BrokenRuleError(
                    "venue crossed in itself", f"{feed.venue} at venue_seq {feed.venue_seq}"
                )
            bids += levels[0]
            asks += levels[1]
        return _in_order(bids, asks)


class History:
    """What one bot was told by one view of one instrument, from its first word to its last."""

    def __init__(self, oracle: Oracle, bot: str = "") -> None:
        self.bot = bot
        self.current: View | None = None
        """What holds; None when nothing does."""
        self._oracle = oracle
        self._position = -1
        self._previous: View | None = None
        self._spoken: View | None = None
        self._by_epoch: dict[int, View] = {}
        self._heard: dict[tuple[str, str, str], int] = {}

    def take(self, view: View) -> Violation | None:
        """Judge the next view."""
        self._position += 1
        self._previous = self._spoken
        try:
            self._judge_freshness(view.ts_in)
            self._oracle.judge(view)
            # Several aggregators may speak in turn: each numbers its own views.
            _judge_order(self._spoken, self._by_epoch.get(view.epoch), view)
            _judge_venue_order(self._heard, view)
        except _BrokenRuleError as broken:
            return self._violation(broken, view)
        finally:
            self.current = view
            # Epoch 0 is the gateway's own word, that no aggregator speaks for the view.
            if view.epoch != 0:
                self._spoken = self._by_epoch[view.epoch] = view
        return None

    def cut(self, ts: int) -> Violation | None:
        """Take note that from `ts` on nothing holds that was said."""
        return self._until(ts, lambda _: None)

    def end(self, ts: int, venues: Iterable[str] = ()) -> Violation | None:
        """Judge the last view at `ts`, by when each of `venues` has to be live again."""

        def nobody_is_out(view: View) -> None:
            live = {feed.venue for feed in view.venues if feed.state is State.LIVE}
            if out := set(venues) - live:
                raise _BrokenRuleError("called dead for ever", ", ".join(sorted(out)))

        return self._until(ts, nobody_is_out)

    def _until(self, ts: int, judge: Callable[[View], None]) -> Violation | None:
        view, self.current = self.current, None
        if view is None:
            return None
        try:
            self._judge_freshness(ts, view)
            judge(view)
        except _BrokenRuleError as broken:
            return self._violation(broken, view)
        return None

    def _judge_freshness(self, until: int, view: View | None = None) -> None:
        """Judge what held until now."""
        view = view or self.current
        rules, truth = self._oracle.rules, self._oracle.truth
        if rules is None or view is None:
            return
        self._judge_halts(view, until, rules)
        for instrument, feed in _feeds(view):
            # Nothing can have been superseded for longer than since its state was received.
            if feed.state is not State.LIVE or until - (feed.ts_recv or 0) <= rules.within_s * 1e9:
                continue
            since = truth.superseded(
                feed.venue, instrument, feed.venue_seq, self._oracle.depth, feed.book_seq
            )
            if since is None:
                continue
            if until - since <= rules.within_s * 1e9:
                continue
            since = self._oracle.left(view, feed)
            if since is None:
                continue
            lag_s = rules.lag_s(self.bot, feed.venue, instrument, since, until)
            if lag_s > rules.within_s:
                raise _BrokenRuleError(
                    "stale",
                    f"{feed.venue} went on from {feed.venue_seq} at {since}, and was shown as "
                    f"before until {until}: {lag_s:.3f} s, {rules.within_s:g} s are allowed",
                )

    def _judge_halts(self, view: View, until: int, rules: Rules) -> None:
        """Judge what held until now by what its venues had said of trading."""
        if rules.halted_within_s is None:
            return
        for instrument, feed in _feeds(view):
            if feed.state is not State.LIVE:
                continue
            for halt in self._oracle.truth.told(HALTS, feed.venue, instrument):
                last = min(until, halt.end)
                if last <= view.ts_in:
                    continue
                lag_s = rules.lag_s(self.bot, feed.venue, instrument, halt.ts, last, of_halts=True)
                if lag_s > rules.halted_within_s:
                    raise _BrokenRuleError(
                        "shown though halted",
                        f"{feed.venue} said {halt.kind} at {halt.ts}, and was shown as LIVE until "
                        f"{last}: {lag_s:.3f} s, {rules.halted_within_s:g} s are allowed",
                    )

    def _violation(self, broken: _BrokenRuleError, view: View) -> Violation:
        return Violation(broken.rule, broken.detail, view, self._position, self._previous, self.bot)


class Run(msgspec.Struct):
    """What a run leaves in `run.json` for those who judge it again."""

    seed: int
    command: str
    rules: Rules
    ended: int
    """Until then bots listened (ns)."""
    whole: bool
    """Whether all was healed in time for every venue to be back by `ended`."""
    faults: list[dict[str, object]] = []
    depth: int = 10


class Verdict(NamedTuple):
    """What a folder holds."""

    run: Run
    judged: int
    histories: int
    violations: list[Violation]
    """The first of each history that has any, in the order of time."""


def read_run(folder: Path) -> Run:
    """Return what a run left behind, with the excuses of bots that had to stand still."""
    run = msgspec.json.decode((folder / "run.json").read_bytes(), type=Run)
    stalls = [_excuses.decode_lines(file.read_bytes()) for file in folder.glob("books/*.excuses")]
    excuses = (*run.rules.excuses, *chain.from_iterable(stalls))
    run.rules = msgspec.structs.replace(run.rules, excuses=excuses)
    return run


Observer = Callable[[str, History, View | None, int], None]
"""Told bot, history, the next view (None: cut or ended) and its time, before it is judged."""


def judge_folder(folder: Path, observe: Observer = lambda *_: None) -> Verdict:
    """Judge all that the bots of a run received."""
    run = read_run(folder)
    truth = Truth.from_file(folder / "truth.ndjson")
    oracle = Oracle(truth, run.depth, run.rules)
    expected = truth.venues if run.whole else {}
    histories: dict[tuple[str, str, str], History] = {}
    broken: dict[History, Violation] = {}

    def note(history: History, violation: Violation | None) -> None:
        if violation and history not in broken:
            broken[history] = violation

    files = [*folder.glob("books/*.books"), *folder.glob("books/*.part")]
    files.sort(key=lambda file: file.stat().st_mtime_ns)
    for file in files:
        for bot, said in read_history(file):
            if (said.ts if isinstance(said, Cut) else said.ts_in) > run.ended:
                continue
            if isinstance(said, Cut):
                for key, history in histories.items():
                    if key[0] == bot:
                        observe(bot, history, None, said.ts)
                        note(history, history.cut(said.ts))
                continue
            key = (bot, type(said).__name__, said.instrument)
            history = histories.setdefault(key, History(oracle, bot))
            observe(bot, history, said, said.ts_in)
            note(history, history.take(said))
    for key, history in histories.items():
        if history.current is not None and not _was_gone(run.rules, key[0], run.ended):
            observe(key[0], history, None, run.ended)
            note(history, history.end(run.ended, expected.get(key[2], ())))
    in_time = sorted(broken.values(), key=lambda violation: violation.view.ts_in)
    return Verdict(run, oracle.judged, len(histories), in_time)


def _was_gone(rules: Rules, bot: str, ts: int) -> bool:
    """Say whether a bot had ended by then."""
    return any(one.bots and one.bots in bot and one.start < ts <= one.end for one in rules.excuses)


def expected_spread(bids: Sequence[Level], asks: Sequence[Level]) -> float:
    """Return best ask minus best bid, computed in decimal and rounded once; 0 without a side."""
    if not (bids and asks):
        return 0.0
    return float(Decimal(repr(asks[0].price)) - Decimal(repr(bids[0].price)))


def misordered(bids: Sequence[Level], asks: Sequence[Level]) -> str | None:
    """Say which neighbours break the order of a consolidated book; None when none do."""
    for name, side, sign in (("bids", bids, -1.0), ("asks", asks, 1.0)):
        for better, worse in pairwise(side):
            if (sign * better.price, -better.amount) > (sign * worse.price, -worse.amount):
                return f"{name}: {better} stands before {worse}"
    return None


_AnyLevel = Level | MergedLevel


def _sides(view: View) -> tuple[Sequence[_AnyLevel], Sequence[_AnyLevel]]:
    if isinstance(view, Book | Liquidity):
        return view.bids, view.asks
    assert isinstance(view, Bbo)
    return [view.bid] if view.bid else [], [view.ask] if view.ask else []


def _shown(view: View, levels: Sequence[Level], depth: int) -> Sequence[_AnyLevel]:
    """Return what this kind of view shows of a merged side."""
    if isinstance(view, Liquidity):
        prices = groupby(levels, key=lambda level: level.price)
        return [_merged(price, list(equal)) for price, equal in prices][:depth]
    return list(levels[: 1 if isinstance(view, Bbo) else depth])


def _merged(price: float, levels: Sequence[Level]) -> MergedLevel:
    total = float(sum(Decimal(repr(level.amount)) for level in levels))
    shares = [Share(one.venue, one.amount, one.instrument, one.original_price) for one in levels]
    return MergedLevel(price, total, tuple(shares))


def _converted(level: Level, instrument: str, price_by: Fraction, units: str) -> Level:
    """Convert a level exactly, and round it once."""
    price = float(Fraction(repr(level.price)) * price_by)
    amount = float(Fraction(repr(level.amount)) * Fraction(units))
    return Level(level.venue, price, amount, instrument, level.price)


def _in_order(bids: list[Level], asks: list[Level]) -> tuple[list[Level], list[Level]]:
    """Sort both sides; of equals of one venue the term goes first that is written first."""
    bids.sort(key=lambda level: (-level.price, -level.amount, level.venue))
    asks.sort(key=lambda level: (level.price, -level.amount, level.venue))
    return bids, asks


def _feeds(view: View) -> list[tuple[str, VenueFeed]]:
    """Return all that is said of venues, with the instrument that it is said of."""
    return [(feed.instrument or view.instrument, feed) for feed in view.venues] + [
        (by.instrument, feed) for by in view.conversions for feed in by.venues
    ]


def _with_feed(view: View, before: VenueFeed, after: VenueFeed) -> View:
    def changed(feeds: Iterable[VenueFeed]) -> tuple[VenueFeed, ...]:
        return tuple(after if one is before else one for one in feeds)

    by = tuple(replace(one, venues=changed(one.venues)) for one in view.conversions)
    return replace(view, venues=changed(view.venues), conversions=by)


def _sellers(levels: Iterable[_AnyLevel]) -> set[tuple[str, str]]:
    """Return the (instrument, venue) of each level or share; no instrument but in equivalences."""
    found = set()
    for level in levels:
        parts = (level,) if isinstance(level, Level) else level.shares
        found |= {(one.instrument, one.venue) for one in parts}
    return found


def _judge_names(
    view: View, live: Sequence[VenueFeed], levels: Iterable[_AnyLevel], truth: Truth
) -> None:
    names = [(feed.instrument, feed.venue) for feed in view.venues]
    if len(names) != len(set(names)):
        raise _BrokenRuleError("venue named twice", str(names))
    for instrument, feed in _feeds(view):
        restricted = feed.state is State.LIVE and f"{feed.venue} restricts " in feed.reason
        if restricted and truth.told(RESTRICTIONS, feed.venue, instrument):
            continue
        if (feed.state is State.LIVE) == bool(feed.reason):
            raise _BrokenRuleError(
                "state without its reason", f"{feed.venue} is {feed.state.name}: {feed.reason!r}"
            )
    strangers = _sellers(levels) - {(feed.instrument, feed.venue) for feed in live}
    if strangers:
        raise _BrokenRuleError("level of a venue that is not live", str(sorted(strangers)))
    if view.was_live is not bool(live):
        raise _BrokenRuleError("wrong `live`", f"{view.was_live} with {len(live)} live venues")
    if view.was_live and view.epoch == 0:
        raise _BrokenRuleError("live without an aggregator", "epoch 0")


def _judge_ages(view: View) -> None:
    """An age is as of the view's sending, or of its computation where that was shortly before."""
    held = view.ts_out - view.ts_agg <= AGES_HOLD_NS + CLOCK_NS
    for _, feed in _feeds(view):
        at_agg, at_out = (
            max(0, ts - feed.ts_recv) if feed.ts_recv else 0 for ts in (view.ts_agg, view.ts_out)
        )
        if held and feed.age_ns == at_agg:
            continue
        if not at_out - AGES_HOLD_NS - CLOCK_NS <= feed.age_ns <= at_out + CLOCK_NS:
            raise _BrokenRuleError("wrong age", f"{feed.venue}: {feed.age_ns} should be {at_out}")


def _judge_times(view: View) -> None:
    for _, feed in _feeds(view):
        path = (feed.ts_recv or 0, feed.ts_pub or 0, view.ts_agg, view.ts_out, view.ts_in)
        if any(later < earlier - CLOCK_NS for earlier, later in pairwise(path)):
            raise _BrokenRuleError("time runs backwards", f"{feed.venue}: {path}")


def _judge_order(spoken: View | None, previous: View | None, view: View) -> None:
    """Compare with what was said before, and with what the same aggregator said."""
    if spoken is not None and view.instrument != spoken.instrument:
        raise _BrokenRuleError("another instrument", f"{spoken.instrument} came before")
    if previous is None:
        return
    if view.seq < previous.seq:
        raise _BrokenRuleError("went back", f"seq {view.seq} after {previous.seq}")
    if view.seq == previous.seq and _content(view) != _content(previous):
        raise _BrokenRuleError("two views of one seq", f"(epoch, seq) {view.epoch, view.seq}")


def _judge_venue_order(heard: dict[tuple[str, str, str], int], view: View) -> None:
    """Compare with the last live state of each venue, and note the new ones in `heard`."""
    for instrument, feed in _feeds(view):
        if feed.state is State.LIVE:
            below = feed.book_seq or feed.venue_seq
            for part, at in (("", feed.venue_seq), ("'s book", below)):
                last = heard.get((instrument, feed.venue, part), 0)
                if at < last:
                    raise _BrokenRuleError(
                        "venue went back", f"{feed.venue}{part}: {at} after {last}"
                    )
                heard[instrument, feed.venue, part] = at


def _content(view: View) -> tuple[object, ...]:
    venues = tuple((name, replace(feed, age_ns=0)) for name, feed in _feeds(view))
    rates = tuple((by.instrument, by.bid, by.ask) for by in view.conversions)
    return (*_sides(view), view.spread, view.was_live, venues, rates)


def main(folder: Path) -> int:
    verdict = judge_folder(folder)
    for violation in verdict.violations[:1]:
        print(f"seed {verdict.run.seed}: {verdict.run.command}\n{violation}")
        near = [
            fault
            for fault in verdict.run.faults
            if abs(int(str(fault["start"])) - violation.view.ts_in) < 15e9
        ]
        print("faults near it:", *near, sep="\n  ")
    print(
        f"{verdict.judged:,} views right; {len(verdict.violations)} of {verdict.histories} "
        "histories broken"
    )
    return bool(verdict.violations)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
