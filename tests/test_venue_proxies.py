"""Proxy settings as desktops and companies have them: the reason of the venues they concern."""

from __future__ import annotations

import pytest
from dragonfly_client import State
from system import Bot, System, live_venues
from test_up import gateway_of

INTERNET = "venue.example"
"""Not private: what leads there goes through the proxy."""
SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        (
            "ALL_PROXY",
            "socks://127.0.0.1:1/",
            "the proxy socks://127.0.0.1:1/ that ALL_PROXY names",
        ),
        ("all_proxy", f"http://me:{SECRET}@127.0.0.1:1", "the proxy http://127.0.0.1:1 that all_"),
        ("https_proxy", "http://", "the proxy http:// that https_proxy names is none"),
        ("HTTPS_PROXY", f"garbage://me:{SECRET}@x", "the proxy garbage://x that HTTPS_PROXY names"),
    ],
)
@pytest.mark.parametrize("apart", [True, False])
async def test_a_proxy_that_is_of_no_use_ends_only_what_it_is_for(
    system: System,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    says: str,
    apart: bool,
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv(variable, value)
    await system.start_simulator("--rate", "20")
    simulated = {"binance", "kraken"}
    urls = [
        f"--{kind}-url={venue}={system.urls(venue)[kind]}"
        for venue in simulated
        for kind in ("ws", "rest")
    ]
    urls += [f"--ws-url=bitstamp=wss://{INTERNET}", f"--rest-url=bitstamp=https://{INTERNET}"]
    up = system.run("up", "--gateway=127.0.0.1:0", *urls, *(["--apart"] if apart else []))
    async with Bot(await gateway_of(up), "ETH-BTC") as bot:
        book = await bot.until(
            lambda book: (
                live_venues(book) == simulated
                and any(feed.state is State.DOWN for feed in book.venues)
            ),
            what="the others live",
        )
    (down,) = [feed for feed in book.venues if feed.state is State.DOWN]
    assert says in down.reason
    log = up.log.read_text()
    assert SECRET not in down.reason + log
    assert "Traceback" not in log
    assert "started again" not in log
