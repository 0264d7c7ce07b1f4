from __future__ import annotations

import io
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from dragonfly_common.wording import command_name
from patience import PATIENCE_S
from rich.console import Console
from supervisor.narration import MAX_WAITING_LINES, Narrator, Ticker
from supervisor.plan import DeploymentOptions
from supervisor.supervision import LogLine

OPTIONS = DeploymentOptions(
    venues=("kraken",), instruments=("ETH-BTC",), gateway="127.0.0.1:0", depth=10
)


@pytest.fixture(autouse=True)
def no_machine_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is to be joined or printed wait for the test, however long that stands still."""
    monkeypatch.setattr("supervisor.narration.GATHER_S", PATIENCE_S)
    monkeypatch.setattr("supervisor.narration.LAST_LINES_LIMIT_S", PATIENCE_S)


def narrated(narrator: Narrator, output: io.StringIO) -> list[str]:
    """Return what is printed once all is printed."""
    narrator.__exit__(None, None, None)
    return output.getvalue().splitlines()


def a_narrator(
    output: io.StringIO, level: str | None = "info", *, as_json: bool = False
) -> Narrator:
    console = Console(file=output, width=200)
    return Narrator(console, level, as_json=as_json).__enter__()


def test_an_event_is_a_line_in_the_name_of_its_process() -> None:
    output = io.StringIO()
    narrator = a_narrator(output)
    narrator.log(
        "listener.kraken",
        {
            "event": "feed stale",
            "level": "info",
            "timestamp": "2026-01-02T03:04:05.678901Z",
            "reason": "silent",
            "cause": None,
        },
    )
    (line,) = narrated(narrator, output)
    assert line == "03:04:05.678 listener.kraken   feed stale  reason=silent"


def test_what_is_below_the_level_is_not_said() -> None:
    output = io.StringIO()
    narrator = a_narrator(output, "warning")
    narrator.log("gateway", {"event": "ready", "level": "info"})
    narrator.log("gateway", {"event": "stream slow", "level": "warning"})
    narrator.notice("gateway ended")
    assert [line.split()[-1] for line in narrated(narrator, output)] == ["slow", "ended"]


def test_a_traceback_keeps_its_lines() -> None:
    output = io.StringIO()
    narrator = a_narrator(output)
    narrator.log("gateway", {"event": "process failed", "level": "error", "exception": "a\nb"})
    assert narrated(narrator, output)[1:] == ["a", "b"]


def test_the_block_says_where_bots_connect_and_what_to_do_next() -> None:
    output = io.StringIO()
    narrator = a_narrator(output)
    narrator.ready(OPTIONS, "127.0.0.1:4711", "http://127.0.0.1:4712/control")
    text = "\n".join(narrated(narrator, output))
    assert f"{command_name()} watch --gateway 127.0.0.1:4711 ETH-BTC" in text
    assert "kraken (simulated)" in text
    fault = f"{command_name()} fault --control http://127.0.0.1:4712/control kraken silence"
    assert fault in text


@pytest.mark.parametrize(
    ("gateway", "words"),
    [
        ("127.0.0.1:50051", "watch ETH-BTC"),
        ("0.0.0.0:50051", "watch ETH-BTC"),
        ("[::]:7", "watch --gateway 127.0.0.1:7 ETH-BTC"),
    ],
)
def test_the_watch_that_it_tells_of_is_as_short_as_it_can_be(gateway: str, words: str) -> None:
    output = io.StringIO()
    narrator = a_narrator(output)
    narrator.ready(OPTIONS, gateway, None)
    assert words in "\n".join(narrated(narrator, output))


def test_the_watch_that_it_tells_of_is_let_in() -> None:
    output = io.StringIO()
    narrator = a_narrator(output)
    more = {"gateway": ("--tls-cert", "c", "--tls-key", "k", "--tokens", "t")}
    narrator.ready(replace(OPTIONS, more=more), "127.0.0.1:50051", None)
    text = "\n".join(narrated(narrator, output))
    assert "watch --ca-file CA --token-file FILE ETH-BTC" in text


def test_where_there_is_an_engine_it_tells_how_to_order() -> None:
    output = io.StringIO()
    narrator = a_narrator(output)
    narrator.ready(replace(OPTIONS, engine=Path("paper.journal")), "127.0.0.1:4711", None)
    text = "\n".join(narrated(narrator, output))
    assert "liquidate --gateway 127.0.0.1:4711 ETH-BTC sell 1 --plan" in text
    assert "paper.journal" in text


def test_a_person_is_told_what_matters_and_when() -> None:
    output = io.StringIO()
    narrator = a_narrator(output, None)
    narrator.log("gateway", {"event": "ready", "level": "info"})
    for instrument in ("ETH-BTC", "BTC-USD", "ETH-USD", "LTC-USD", "XRP-USD"):
        for venue in ("kraken", "binance"):
            narrator.log(f"listener.{venue}", feed_line("feed live", instrument=instrument))
    book: LogLine = {"event": "book broken", "level": "warning", "symbol": "x"}
    narrator.log("listener.kraken", book)
    warning: LogLine = {
        "event": "tokens travel",
        "level": "warning",
        "port": 7,
        "remedy": "give TLS",
    }
    narrator.log("gateway", warning)
    error: LogLine = {
        "event": "process failed",
        "level": "error",
        "exception": "Traceback\n  x\nKeyError: 1",
    }
    narrator.log("gateway", error)
    assert narrated(narrator, output) == [
        "03:04:05 kraken ETH-BTC, BTC-USD, ETH-USD and 2 more LIVE",
        "03:04:05 binance ETH-BTC, BTC-USD, ETH-USD and 2 more LIVE",
        "gateway: tokens travel (port 7); give TLS",
        "gateway: process failed; KeyError: 1",
    ]


def test_where_nobody_looks_on_every_line_is_json() -> None:
    output = io.StringIO()
    narrator = a_narrator(output, as_json=True)
    narrator.starting(simulated=True)
    narrator.log("gateway", {"event": "ready", "level": "info", "timestamp": "t", "port": 7})
    broken: LogLine = {"event": "feed \x1b", "level": "error", "exception": "a\nb"}
    narrator.log("listener.kraken", broken)
    narrator.notice("gateway ended")
    narrator.ready(OPTIONS, "127.0.0.1:4711", None)
    lines = [json.loads(line) for line in narrated(narrator, output)]
    assert [(line["instance"], line["event"], line["level"]) for line in lines] == [
        ("gateway", "ready", "info"),
        ("listener.kraken", "feed \x1b", "error"),
        ("up", "gateway ended", "warning"),
        ("up", "up", "info"),
    ]
    assert lines[3]["gateway"] == "127.0.0.1:4711"
    assert lines[1]["exception"] == "a\nb"


def test_nothing_that_is_logged_moves_the_cursor() -> None:
    output, ticker = io.StringIO(), Ticker()
    narrator = a_narrator(output)
    line = {"event": "feed down", "instrument": "X-Y", "reason": "\x1b]0;mine\x07", "odd\x9b": 1.5}
    narrator.log("listener.kraken", line)
    narrator.notice("\x1b[2Jgone\r\n")
    ticker.log("listener.kraken", line)
    ticker.notice("\u202eback")
    assert all(line.isprintable() for line in (*narrated(narrator, output), *ticker.lines))
    assert "reason=\\x1b]0;mine\\x07  odd\\x9b=1.5" in output.getvalue()


class StoppedTerminal(io.StringIO):
    """Takes its first line only when it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = threading.Event()
        self.released = threading.Event()

    def write(self, text: str) -> int:
        self.taken.set()
        assert self.released.wait(PATIENCE_S)
        return super().write(text)


def test_a_terminal_that_stands_still_holds_up_nobody() -> None:
    terminal = StoppedTerminal()
    narrator = a_narrator(terminal)
    narrator.notice("first")
    assert terminal.taken.wait(PATIENCE_S)
    for _ in range(MAX_WAITING_LINES + 7):
        narrator.notice("more")
    terminal.released.set()
    deadline = time.monotonic() + PATIENCE_S
    while not narrator._waiting.empty():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    narrator.notice("last")
    lines = [line.partition(" up: ")[2] or line for line in narrated(narrator, terminal)]
    dropped = "(7 lines were dropped: the terminal stood still)"
    assert lines == ["first", *["more"] * MAX_WAITING_LINES, dropped, "last"]


def feed_line(event: str, **facts: object) -> dict[str, object]:
    return {
        "event": event,
        "timestamp": "2026-01-02T03:04:05.678Z",
        "instrument": "ETH-BTC",
        **facts,
    }


def test_a_viewer_is_told_what_leaves_and_what_comes_back() -> None:
    ticker = Ticker()
    ticker.log("listener.kraken", feed_line("feed live"))
    assert ticker.lines == []
    ticker.log("simulator", feed_line("fault injected", venue="kraken", fault="silence"))
    ticker.log("listener.kraken", feed_line("feed stale", reason="silent for 3 s"))
    ticker.log("listener.kraken", feed_line("feed live"))
    ticker.log("listener.kraken", feed_line("feed live"))
    assert ticker.lines == [
        "03:04:05 simulated: kraken silence",
        "03:04:05 kraken ETH-BTC STALE: silent for 3 s",
        "03:04:05 kraken ETH-BTC LIVE again",
    ]


def test_only_what_was_live_is_live_again() -> None:
    ticker = Ticker()
    for event, reason in (
        ("feed down", "no route"),
        ("feed live", None),
        ("feed live", "post_only"),
        ("feed live", "post_only"),
        ("feed live", None),
    ):
        ticker.log("listener.kraken", feed_line(event, reason=reason))
    assert ticker.lines == [
        "03:04:05 kraken ETH-BTC DOWN: no route",
        "03:04:05 kraken ETH-BTC LIVE",
        "03:04:05 kraken ETH-BTC LIVE again: post_only",
        "03:04:05 kraken ETH-BTC LIVE again",
    ]


@pytest.mark.parametrize("ready", ["ready", "service ready"])
def test_a_listener_that_started_anew_has_its_feeds_live_again(ready: str) -> None:
    ticker = Ticker()
    for event in (ready, "feed live", ready, "feed live"):
        ticker.log("listener.kraken", feed_line(event))
        ticker.log("listener.binance", feed_line("feed live"))
    assert ticker.lines == ["03:04:05 kraken ETH-BTC LIVE again"]


def test_a_viewer_is_told_what_there_is_a_remedy_for() -> None:
    ticker = Ticker()
    ticker.log("gateway", {"event": "open", "level": "warning", "remedy": "close it"})
    ticker.log("gateway", {"event": "bot stalled", "level": "warning"})
    assert ticker.lines == ["gateway: open; close it"]


def test_a_viewer_is_told_of_errors_and_restarts_only_the_last_few() -> None:
    ticker = Ticker()
    ticker.log("gateway", {"event": "stream ended", "level": "info"})
    for number in range(9):
        ticker.log("gateway", {"event": f"process failed {number}", "level": "error"})
    ticker.notice("gateway ended; started again in 0.1 s")
    assert ticker.lines == [
        *(f"gateway: process failed {number}" for number in (6, 7, 8)),
        "gateway ended; started again in 0.1 s",
    ]
