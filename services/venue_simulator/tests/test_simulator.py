"""The simulator as a whole: what moves when, what it costs nobody, and how it is reached."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from urllib.request import Request

import pytest
from dragonfly_common.clock import ManualClock
from dragonfly_common.errors import AddressError, ConfigError, UserError
from venue_client import Message, dial, eventually, get, last_state, post
from venue_simulator import connection, venues
from venue_simulator.catalogue import RESTING
from venue_simulator.control import HEADER
from venue_simulator.options import SimulatorOptions
from venue_simulator.simulator import Simulator, running_simulator
from venue_simulator.truth import Truth
from venue_simulator.venues import VENUES

Simulate = Callable[..., Awaitable[Simulator]]

SUBSCRIBE_SOL = {"method": "subscribe", "params": {"channel": "book", "symbol": ["SOL/USD"]}}


async def truth_of(seed: int, steps: int) -> Truth:
    options = SimulatorOptions(seed=seed, keep_truth=True)
    async with running_simulator(options, ManualClock()) as simulator:
        simulator.step(steps)
        return simulator.truth


def content(truth: Truth) -> object:
    return {
        name: [(state.venue_seq, state.ts_ns, state.bids, state.asks) for state in states]
        for name, states in truth.states.items()
    }


async def test_a_seed_says_it_all() -> None:
    assert content(await truth_of(7, 50)) == content(await truth_of(7, 50))
    assert content(await truth_of(7, 50)) != content(await truth_of(8, 50))


async def test_venue_seq_rises_even_where_time_stands_still() -> None:
    for states in (await truth_of(1, 100)).states.values():
        numbers = [state.venue_seq for state in states]
        assert len(numbers) == 101
        assert numbers == sorted(set(numbers))


async def test_only_two_instruments_move_unasked(simulator: Simulator) -> None:
    simulator.step()
    assert {name for _, name in simulator.truth.states} == {"ETH-BTC", "BTC-USD"}


async def test_another_moves_once_somebody_subscribes(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        await wire.hear()
        await wire.ask(SUBSCRIBE_SOL)
        await wire.hear()
    simulator.step()
    assert {venue for venue, name in simulator.truth.states if name == "SOL-USD"} == set(VENUES)
    assert len(simulator.truth.states["binance", "SOL-USD"]) == 2


async def test_instruments_can_be_added(simulate: Simulate) -> None:
    simulator = await simulate(instruments=("XYZ-USD", "SOL-USD"))
    assert {name for _, name in simulator.truth.states} >= {"XYZ-USD", "SOL-USD"}
    listed = (await get(simulator.rest_url("binance") + "/api/v3/exchangeInfo")).body["symbols"]
    names = [symbol["symbol"] for symbol in listed]
    assert names.count("XYZUSD") == names.count("SOLUSD") == 1


async def test_the_market_moves_at_its_rate(simulate: Simulate) -> None:
    simulator = await simulate(rate=200.0)
    states = simulator.truth.states["kraken", "ETH-BTC"]
    await eventually(lambda: len(states) >= 60, "60 states")
    assert (states[59].ts_ns - states[0].ts_ns) / 1e9 > 0.28, "59 steps of 5 ms"


@pytest.mark.parametrize(
    ("venue", "path", "request_"),
    [
        ("binance", "/stream?streams=ethbtc@depth20@100ms", None),
        (
            "bitstamp",
            "",
            {"event": "bts:subscribe", "data": {"channel": "order_book_ethbtc"}},
        ),
    ],
)
async def test_a_book_that_stands_still_is_sent_with_its_next_change(
    simulator: Simulator, venue: str, path: str, request_: Message | None
) -> None:
    async with dial(simulator.ws_url(venue) + path) as wire:
        if request_:
            await wire.ask(request_)
        await (await wire.socket.ping())
        simulator.step()
        assert str(last_state(simulator, venue).venue_seq) in await wire.frame()


async def test_a_market_that_rests_moves_seldom_whatever_the_rate(simulate: Simulate) -> None:
    simulator = await simulate(instruments=(RESTING,), rate=200.0)
    moving = simulator.truth.states["kraken", "ETH-BTC"]
    await eventually(lambda: len(moving) >= 60, "60 states of another")
    resting = {venue: len(simulator.truth.states[venue, RESTING]) for venue in VENUES}
    assert max(resting.values()) < 6
    simulator.step()
    assert len(simulator.truth.states["kraken", RESTING]) == resting["kraken"] + 1


async def test_the_truth_is_known_before_the_frame(simulate: Simulate) -> None:
    simulator = await simulate(rate=500.0)
    async with dial(simulator.ws_url("binance") + "/stream?streams=ethbtc@depth5") as wire:
        for _ in range(50):
            seq = (await wire.hear())["data"]["lastUpdateId"]
            states = simulator.truth.states["binance", "ETH-BTC"]
            assert any(state.venue_seq == seq for state in states)


async def test_a_slow_reader_is_dropped_and_others_are_not(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_UNSENT_BYTES", 100_000)
    channel = {"event": "bts:subscribe", "data": {"channel": "order_book_ethbtc"}}
    url = simulator.ws_url("bitstamp")
    async with dial(url, max_queue=1) as slow, dial(url) as brisk:
        await slow.ask(channel)
        await brisk.ask(channel)
        for _ in range(5000):
            simulator.step()
            await brisk.hear()
            if simulator.clients("bitstamp") == 1:
                break
        assert simulator.clients("bitstamp") == 1
        simulator.step()
        await brisk.hear()


async def test_some_venues_only(simulate: Simulate) -> None:
    simulator = await simulate(venues=("kraken",))
    assert simulator.venues == ("kraken",)
    reply = await get(f"http://{simulator.address.host}:{simulator.address.port}/binance/x")
    assert (reply.status, reply.body) == (404, "no simulated venue 'binance' here")


async def test_a_venue_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match="mtgox"):
        async with running_simulator(SimulatorOptions(venues=("mtgox",))):
            pass


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (SimulatorOptions(truth_log=Path("/no/such/folder/truth")), "/no/such/folder/truth"),
        (SimulatorOptions(captures=Path("/no/such/folder")), "/no/such/folder"),
        (SimulatorOptions(host="192.0.2.1"), "192.0.2.1"),
    ],
)
async def test_what_is_not_there_is_named(options: SimulatorOptions, named: str) -> None:
    with pytest.raises(UserError, match=named):
        async with running_simulator(options):
            pass


async def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AddressError, match=str(port)):
            async with running_simulator(SimulatorOptions(port=port)):
                pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    names = ("-subj", "/CN=venue", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", str(key), "-out", str(cert))
    subprocess.run(
        [openssl, "req", "-x509", *kind, *names, *files], check=True, capture_output=True
    )
    return cert, key


async def test_tls(simulate: Simulate, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    simulator = await simulate(tls_cert=cert, tls_key=key)
    assert simulator.ws_url("kraken").startswith("wss://127.0.0.1:")
    assert simulator.rest_url("kraken").startswith("https://127.0.0.1:")
    trusting = ssl.create_default_context(cafile=cert)
    async with dial(simulator.ws_url("kraken") + "/v2", ssl=trusting) as wire:
        assert (await wire.hear())["channel"] == "status"
        simulator.faults.inject("kraken", "reset")
        with pytest.raises(Exception, match="close frame"):
            await wire.frame()
    with pytest.raises(ssl.SSLCertVerificationError):
        async with dial(simulator.ws_url("kraken") + "/v2"):
            pass


async def test_tls_needs_both_files(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = certificate
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for options, named in (
        (SimulatorOptions(tls_cert=cert), "--tls-key"),
        (SimulatorOptions(tls_key=key), "--tls-cert"),
        (SimulatorOptions(tls_cert=cert, tls_key=tmp_path / "none.pem"), "none.pem"),
        (SimulatorOptions(tls_cert=bad, tls_key=key), "bad.pem"),
    ):
        with pytest.raises(ConfigError, match=named):
            async with running_simulator(options):
                pass


async def test_the_control_page(simulator: Simulator) -> None:
    control = simulator.control_url
    before = len(simulator.truth.states["kraken", "ETH-BTC"])
    assert (await post(f"{control}/step?count=3")).body == {}
    assert len(simulator.truth.states["kraken", "ETH-BTC"]) == before + 3
    injected = await post(f"{control}/fault?venue=kraken&kind=gap&instrument=eth-btc&seconds=0.5")
    assert injected.body == {
        "fault": "gap",
        "venue": "kraken",
        "instrument": "ETH-BTC",
        "seconds": 0.5,
    }
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        await wire.hear()
        await wire.ask(SUBSCRIBE_SOL)
        everything = (await get(f"{control}/subscriptions")).body
    assert everything == {name: [] for name in VENUES} | {"kraken": ["SOL-USD"]}


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("fault", 400, "venue"),
        ("fault?venue=kraken&kind=earthquake", 400, "earthquake"),
        ("fault?venue=kraken&kind=gap&seconds=soon", 400, "seconds=soon"),
        ("fault?venue=kraken&kind=gap&instrument=x", 400, "BASE-QUOTE"),
        ("step?count=1001", 400, "write 1 to 1000"),
        ("step?count=-1", 400, "count=-1"),
        ("step?count=" + "9" * 5000, 400, "count=9999"),
        ("shout", 404, "/subscriptions"),
    ],
)
async def test_the_control_page_refuses_nonsense(
    simulator: Simulator, path: str, status: int, named: str
) -> None:
    reply = await post(f"{simulator.control_url}/{path}")
    assert reply.status == status
    assert named in reply.body["error"]


@pytest.mark.parametrize("path", ["step", "clear", "fault?venue=kraken&kind=silence"])
async def test_no_web_page_can_drive_it(simulator: Simulator, path: str) -> None:
    """By an image, a form, a script, or a site whose name is made to lead to this machine."""
    url = f"{simulator.control_url}/{path}"
    before = len(simulator.truth.states["kraken", "ETH-BTC"])
    for refused, status in (
        (url, 405),
        (Request(url, b""), 405),
        (Request(url, b"", {HEADER: "1", "Origin": "http://evil.example"}), 403),
        (Request(url, b"", {HEADER: "1", "Origin": "null"}), 403),
        (Request(url, b"", {HEADER: "1", "Host": "evil.example:9000"}), 403),
        (Request(url, b"", {HEADER: "1", "Host": ""}), 403),
        (Request(f"{simulator.control_url}/subscriptions", headers={"Host": "evil.example"}), 403),
    ):
        answer = await get(refused)
        assert answer.status == status
        assert answer.body["error"]
    assert len(simulator.truth.states["kraken", "ETH-BTC"]) == before
    assert simulator.faults.clear() == 0


@pytest.mark.parametrize("host", ["localhost:9000", "simulator", "127.0.0.1", "[::1]:9000"])
async def test_its_own_names_are_good(simulator: Simulator, host: str) -> None:
    assert (await post(f"{simulator.control_url}/step", Host=host)).status == 200


async def test_compression_is_negotiated_when_offered(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("kraken") + "/v2", compression="deflate") as wire:
        assert wire.socket.protocol.extensions
        with simulator.silence("kraken"):
            simulator.step()
        assert (await wire.hear())["channel"] == "status"
        await wire.ask(SUBSCRIBE_SOL)
        with simulator.silence("kraken"):
            simulator.step(2)
        simulator.step(5)
        assert (await wire.hear())["channel"] == "book"
        assert (await wire.hear())["channel"] == "book"


def test_a_package_that_is_broken_is_named_and_hinders_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = EntryPoint("lighthouse", "lighthouse:FakeLighthouse", venues.ENTRY_POINT)
    sound = EntryPoint("okx", "venue_simulator.venues.okx:FakeOkx", venues.ENTRY_POINT)
    monkeypatch.setattr(venues, "entry_points", lambda **_: [sound, broken])
    fakes = venues._Fakes()
    assert list(fakes) == ["lighthouse", "okx"]
    assert "lighthouse" in fakes
    assert fakes["okx"].name == "okx"
    with pytest.raises(ConfigError, match=r"'lighthouse' .* cannot be loaded: Mod"):
        fakes["lighthouse"]
