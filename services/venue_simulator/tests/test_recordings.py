"""Recorded messages become the states that the books went through, or are refused."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from dragonfly_common.errors import ConfigError
from hypothesis import given
from hypothesis import strategies as st
from venue_simulator.rebuilding import KEPT_LEVELS, Recording
from venue_simulator.recordings import load_recordings
from venue_simulator.venues.binance.recording import rebuild_books as rebuild_binance
from venue_simulator.venues.bitfinex.recording import rebuild_books as rebuild_bitfinex
from venue_simulator.venues.bitstamp.recording import rebuild_books as rebuild_bitstamp
from venue_simulator.venues.coinbase.recording import rebuild_books as rebuild_coinbase
from venue_simulator.venues.gateio.recording import rebuild_books as rebuild_gateio
from venue_simulator.venues.gemini.recording import rebuild_books as rebuild_gemini
from venue_simulator.venues.htx.recording import rebuild_books as rebuild_htx
from venue_simulator.venues.kraken.recording import rebuild_old_socket as rebuild_kraken_v1
from venue_simulator.venues.kraken.recording import rebuild_socket as rebuild_kraken_v2
from venue_simulator.venues.kucoin.recording import rebuild_books as rebuild_kucoin
from venue_simulator.venues.okx.recording import rebuild_books as rebuild_okx

CAPTURES = Path(__file__).parents[4] / "shared" / "captures"

BINANCE_URL = "https://api.binance.com/api/v3"
BINANCE_LIST = [
    f"{BINANCE_URL}/exchangeInfo -> 1.0: "
    + json.dumps({"symbols": [{"symbol": "ETHBTC", "baseAsset": "ETH", "quoteAsset": "BTC"}]})
]
BITSTAMP_URL = "https://www.bitstamp.net/api/v2"
BITSTAMP_LIST = [
    f"{BITSTAMP_URL}/trading-pairs-info/ -> 1.0: "
    + json.dumps([{"name": "ETH/BTC", "url_symbol": "ethbtc"}])
]

Levels = list[list[str]]


def binance_seed(at: float, last_id: int, bids: Levels, asks: Levels) -> str:
    body = json.dumps({"lastUpdateId": last_id, "bids": bids, "asks": asks})
    return f"{BINANCE_URL}/depth?symbol=ETHBTC&limit=1000 -> {at}: {body}"


def binance_delta(at: float, first: int, last: int, bids: Levels, asks: Levels) -> str:
    data = {"e": "depthUpdate", "E": 1, "s": "ETHBTC", "U": first, "u": last, "b": bids, "a": asks}
    return f"{at}: " + json.dumps({"stream": "ethbtc@depth@100ms", "data": data})


def bitstamp_seed(at: float, time_us: int, bids: Levels, asks: Levels) -> str:
    body = json.dumps({"microtimestamp": str(time_us), "bids": bids, "asks": asks})
    return f"{BITSTAMP_URL}/order_book/ethbtc -> {at}: {body}"


def bitstamp_delta(at: float, time_us: int, bids: Levels, asks: Levels) -> str:
    data = {"microtimestamp": str(time_us), "bids": bids, "asks": asks}
    frame = {"data": data, "channel": "diff_order_book_ethbtc", "event": "data"}
    return f"{at}: " + json.dumps(frame, separators=(",", ":"))


def crc32(*numbers: str) -> str:
    return str(zlib.crc32("".join(n.replace(".", "").lstrip("0") for n in numbers).encode()))


class TestBinance:
    def test_drops_what_the_seed_holds_and_joins_the_rest(self) -> None:
        (recording,) = rebuild_binance(
            BINANCE_LIST,
            [binance_seed(12.5, 10, [["0.07", "1.0"], ["0.06", "2.0"]], [["0.08", "3.0"]])],
            [
                binance_delta(11.0, 8, 10, [["0.07", "9.0"]], []),
                binance_delta(12.0, 10, 12, [["0.07", "0.00000000"]], [["0.075", "4.0"]]),
                "13.0: " + json.dumps({"stream": "ethbtc@bookTicker", "data": {"u": 12}}),
                binance_delta(14.0, 13, 13, [["0.065", "5.0"], ["0.01", "0.0"]], []),
            ],
        )

        assert recording.venue == "binance"
        assert (recording.instrument, recording.symbol) == ("ETH-BTC", "ETHBTC")
        assert [state.venue_seq for state in recording.states] == [10, 12, 13]
        # The seed's answer came later than the delta that follows it.
        assert [state.offset_s for state in recording.states] == [0.0, 0.0, 2.0]
        assert recording.states[0].bids == (("0.07", "1.0"), ("0.06", "2.0"))
        assert recording.states[1].bids == (("0.06", "2.0"),)
        assert recording.states[1].asks == (("0.075", "4.0"), ("0.08", "3.0"))
        assert recording.states[2].bids == (("0.065", "5.0"), ("0.06", "2.0"))

    def test_refuses_a_lost_delta(self) -> None:
        with pytest.raises(ConfigError, match=r"ETHBTC at binance .* no delta holds the update 11"):
            rebuild_binance(
                BINANCE_LIST,
                [binance_seed(1.0, 10, [], [])],
                [binance_delta(2.0, 12, 13, [], [])],
            )


class TestBitfinex:
    LIST = (
        "https://api-pub.bitfinex.com/v2/conf/pub:list:pair:exchange -> 1.0: "
        '[["IOTETH","AAVE:USD"]]'
    )
    BEGINNING = (
        '1.5: [7,"hb",1]',
        '2.0: {"event":"subscribed","channel":"book","chanId":7,"symbol":"tIOTETH"}',
        "2.1: [7,[[0.07,2,1.50],[0.06,1,2],[0.08,1,-3e-7]],2]",
    )

    def test_applies_entries_as_printed_and_removes_counts_of_zero(self) -> None:
        (recording,) = rebuild_bitfinex(
            [self.LIST],
            [
                *self.BEGINNING,
                "2.1: [7,[0.07,0,1],3]",
                "2.2: [9,[1,2],4]",
                "2.3: [7,[0.09,1,-4],5]",
            ],
        )
        assert (recording.instrument, recording.symbol) == ("IOTA-ETH", "tIOTETH")
        assert [state.venue_seq for state in recording.states] == [2100, 2101, 2300]
        first, second, third = recording.states
        assert (first.bids, first.asks) == (
            (("0.07", "1.50"), ("0.06", "2")),
            (("0.08", "3e-7"),),
        )
        assert second.bids == (("0.06", "2"),)
        assert third.asks == (("0.08", "3e-7"), ("0.09", "4"))

    def test_refuses_a_number_that_is_missing(self) -> None:
        with pytest.raises(ConfigError, match="tIOTETH at bitfinex is broken: frame 3 is missing"):
            rebuild_bitfinex([self.LIST], [*self.BEGINNING, "2.2: [7,[0.07,0,1],4]"])


class TestBitstamp:
    @pytest.mark.parametrize("zero", ["0", "0.00000", "0.00000000"])
    def test_applies_frames_newer_than_the_seed(self, zero: str) -> None:
        (recording,) = rebuild_bitstamp(
            BITSTAMP_LIST,
            [bitstamp_seed(3.0, 1_000_000, [["0.07", "1.0"], ["0.06", "1.0"]], [["0.08", "1.0"]])],
            [
                'wss://ws.bitstamp.net/ <- 0.1: {"event":"bts:subscribe"}',
                '0.2: {"event":"bts:subscription_succeeded","channel":"diff_order_book_ethbtc",'
                '"data":{}}',
                bitstamp_delta(2.0, 1_000_000, [["0.07", "7.0"]], []),
                bitstamp_delta(4.0, 1_500_000, [["0.07", zero]], []),
            ],
        )

        assert (recording.instrument, recording.symbol) == ("ETH-BTC", "ethbtc")
        assert [state.venue_seq for state in recording.states] == [1_000_000, 1_500_000]
        assert recording.states[1].bids == (("0.06", "1.0"),)
        assert recording.states[1].asks == (("0.08", "1.0"),)

    def test_refuses_time_that_does_not_rise(self) -> None:
        delta = bitstamp_delta(2.0, 1_500_000, [], [])
        with pytest.raises(ConfigError, match="1500000 comes after 1500000"):
            rebuild_bitstamp(BITSTAMP_LIST, [bitstamp_seed(1.0, 1_000_000, [], [])], [delta, delta])


HTX_LIST = [
    "https://api.huobi.pro/v1/common/symbols -> 1.0: "
    + json.dumps({"data": [{"symbol": "ethbtc", "base-currency": "eth", "quote-currency": "btc"}]})
]


def htx_depth(at: float, version: int, bids: str, asks: str = "[]") -> str:
    tick = f'{{"bids":{bids},"asks":{asks},"version":{version}}}'
    text = f'{{"ch":"market.ethbtc.depth.step0","tick":{tick}}}'
    return f"{at}: {gzip.compress(text.encode())!r}"


class TestHtx:
    def test_each_depth_is_the_book_in_plain_numbers(self) -> None:
        (recording,) = rebuild_htx(
            HTX_LIST,
            [
                "1.5: " + repr(gzip.compress(b'{"ping":1}')),
                htx_depth(2.0, 7, "[[9.121E-7,1.0E7],[9.0E-7,1.0]]", "[[1,2]]"),
                htx_depth(3.0, 7, "[[9.121E-7,1.0E7],[9.0E-7,1.0]]", "[[1,2]]"),
                htx_depth(4.0, 88, "[[9.0E-7,0.5]]"),
            ],
        )
        assert (recording.instrument, recording.symbol) == ("ETH-BTC", "ethbtc")
        assert [(state.offset_s, state.venue_seq) for state in recording.states] == [
            (0, 7),
            (2, 88),
        ]
        assert recording.states[0].bids == (("0.0000009121", "10000000"), ("0.00000090", "1.0"))
        assert recording.states[0].asks == (("1", "2"),)
        assert (recording.states[1].bids, recording.states[1].asks) == (
            (("0.00000090", "0.5"),),
            (),
        )

    @pytest.mark.parametrize("version", [6, 7])
    def test_refuses_another_book_that_is_not_newer(self, version: int) -> None:
        frames = [htx_depth(2.0, 7, "[[9.0,1.0]]"), htx_depth(3.0, version, "[[9.0,2.0]]")]
        with pytest.raises(ConfigError, match=f"{version} comes after 7"):
            rebuild_htx(HTX_LIST, frames)


def kraken_v1(at: float, *parts: dict[str, object]) -> str:
    return f"{at}: " + json.dumps([7, *parts, "book-2", "XBT/USD"])


V1_SEED = kraken_v1(
    1.0,
    {
        "as": [["10.5", "1.0", "100.000001"], ["10.6", "2.0", "100.000003"]],
        "bs": [["10.4", "3.0", "100.000002"], ["10.3", "4.0", "99.000000"]],
    },
)


class TestKrakenV1:
    def test_truncates_counts_and_verifies(self) -> None:
        (recording,) = rebuild_kraken_v1(
            [
                '0.5: {"event":"heartbeat"}',
                V1_SEED,
                kraken_v1(
                    2.0,
                    {"a": [["10.45", "5.0", "100.000003", "r"]]},
                    {
                        "b": [["10.4", "0.0", "100.000002"], ["10.2", "6.0", "100.000001"]],
                        "c": crc32("10.45", "5.0", "10.5", "1.0", "10.3", "4.0", "10.2", "6.0"),
                    },
                ),
            ]
        )

        assert (recording.instrument, recording.symbol) == ("BTC-USD", "BTC/USD")
        # The second message's time does not rise.
        assert [state.venue_seq for state in recording.states] == [100_000_003, 100_000_004]
        assert recording.states[1].asks == (("10.45", "5.0"), ("10.5", "1.0"))
        assert recording.states[1].bids == (("10.3", "4.0"), ("10.2", "6.0"))

    def test_refuses_a_wrong_checksum(self) -> None:
        update = kraken_v1(2.0, {"b": [["10.4", "9.0", "101.0"]], "c": "1"})
        with pytest.raises(ConfigError, match="checksum 1 does not hold"):
            rebuild_kraken_v1([V1_SEED, update])


def kraken_v2(kind: str, checksum: str, second: int, bids: str, asks: str) -> str:
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"MINA/GBP","bids":[{bids}],'
        f'"asks":[{asks}],"checksum":{checksum},'
        f'"timestamp":"2026-08-16T23:37:{second:02}.000005Z"}}]}}'
    )


class TestKrakenV2:
    ACK = '{"method":"subscribe","result":{"channel":"book","depth":10,"symbol":"MINA/GBP"}}'

    def test_keeps_numbers_as_printed(self) -> None:
        (recording,) = rebuild_kraken_v2(
            [
                '{"channel":"status","type":"update","data":[{"system":"online"}]}',
                self.ACK,
                kraken_v2(
                    "snapshot",
                    crc32("0.0290", "1.00", "0.0280", "2.50"),
                    4,
                    '{"price":0.0280,"qty":2.50}',
                    '{"price":0.0290,"qty":1.00}',
                ),
                kraken_v2(
                    "update",
                    crc32("3", "1.00", "0.0280", "2.50"),
                    6,
                    "",
                    '{"price":0.0290,"qty":0.00},{"price":3,"qty":1.00}',
                ),
            ]
        )

        assert recording.instrument == "MINA-GBP"
        assert recording.states[0].bids == (("0.0280", "2.50"),)
        assert recording.states[1].asks == (("3", "1.00"),)
        assert recording.states[1].offset_s == pytest.approx(2.0)
        assert recording.states[0].venue_seq == 1_786_923_424_000_005

    def test_refuses_a_wrong_checksum(self) -> None:
        with pytest.raises(ConfigError, match="checksum 5 does not hold"):
            rebuild_kraken_v2([self.ACK, kraken_v2("snapshot", "5", 4, "", "")])


class TestBooks:
    @given(
        st.lists(
            st.tuples(st.integers(1, 250), st.integers(0, 3)).map(
                lambda level: [f"{level[0] / 100:.2f}", f"{level[1]}.0"]
            ),
            max_size=300,
        )
    )
    def test_ladders_hold_the_last_amount_of_each_price(self, changes: Levels) -> None:
        (recording,) = rebuild_bitstamp(
            BITSTAMP_LIST,
            [bitstamp_seed(1.0, 1, [], [])],
            [bitstamp_delta(2.0, 2, changes, changes)],
        )
        held = {price: amount for price, amount in dict(changes).items() if amount != "0.0"}
        asks = sorted(held.items(), key=lambda level: float(level[0]))

        assert recording.states[1].asks == tuple(asks[:KEPT_LEVELS])
        assert recording.states[1].bids == tuple(reversed(asks))[:KEPT_LEVELS]


OKX_LIST = [
    "https://www.okx.com/api/v5/public/instruments?instType=SPOT -> 1.0: "
    + json.dumps({"data": [{"instId": "ETH-BTC", "baseCcy": "ETH", "quoteCcy": "BTC"}]})
]


def okx(at: float, action: str, bids: str, asks: str, symbol: str = "ETH-BTC", **more: int) -> str:
    sides = ([[*level.split(":"), "0", "1"] for level in side.split()] for side in (bids, asks))
    message = {**dict(zip(("bids", "asks"), sides, strict=True)), "ts": f"{at * 1000:.0f}", **more}
    push = {"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [message]}
    return f"{at}: " + json.dumps(push, separators=(",", ":"))


class TestOkx:
    SEED = ("3366.1:7", "3366.8:9 3368:8 3372:8")

    def test_a_checksum_proves_what_has_no_number(self) -> None:
        (recording,) = rebuild_okx(
            OKX_LIST,
            [
                # The documents' own texts: one bid, then two of each.
                okx(1.0, "snapshot", *self.SEED, checksum=831078360),
                okx(1.0, "update", "3366:6:", "3372:0", checksum=-1881014294),
            ],
        )
        assert (recording.venue, recording.instrument) == ("okx", "ETH-BTC")
        assert [state.venue_seq for state in recording.states] == [1000, 1001]
        assert recording.states[1].bids == (("3366.1", "7"), ("3366", "6"))

    def test_a_checksum_that_does_not_hold_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="okx is broken: the checksum 7 does not hold"):
            rebuild_okx(OKX_LIST, [okx(1.0, "snapshot", *self.SEED, checksum=7)])

    def test_numbers_prove_what_has_no_checksum(self) -> None:
        frames = [
            okx(1.0, "snapshot", *self.SEED, checksum=0, seqId=50, prevSeqId=-1),
            okx(2.0, "update", "3365:1", "", checksum=0, seqId=57, prevSeqId=50),
            okx(3.0, "update", "", "", checksum=0, seqId=57, prevSeqId=57),
        ]
        (recording,) = rebuild_okx(OKX_LIST, frames)
        assert [state.venue_seq for state in recording.states] == [50, 57, 58]
        with pytest.raises(ConfigError, match="no update follows the number 50"):
            rebuild_okx(OKX_LIST, [frames[0], frames[2]])

    def test_what_is_no_spot_market_is_proven_and_left_out(self) -> None:
        swap = okx(1.0, "snapshot", *self.SEED, symbol="ETH-BTC-SWAP", checksum=831078360)
        assert rebuild_okx(OKX_LIST, [swap]) == []


COINBASE_LIST = [
    "https://api.pro.coinbase.com/products -> 1.0: "
    + json.dumps([{"id": "A-B", "base_currency": "ETH", "quote_currency": "BTC"}])
]


def coinbase(at: float, kind: str, time: str | None = None, **fields: object) -> str:
    frame = {"type": kind, "product_id": "A-B", **fields} | ({"time": time} if time else {})
    return f"{at}: " + json.dumps(frame, separators=(",", ":"))


class TestCoinbase:
    SNAPSHOT = coinbase(1.0, "snapshot", asks=[["9", "1"]], bids=[["8", "1"], ["7", "1"]])

    def test_a_state_is_numbered_by_its_time_or_one_on(self) -> None:
        changes = [["buy", "8", "0.00000000"], ["sell", "8.5", "2"]]
        (recording,) = rebuild_coinbase(
            COINBASE_LIST,
            [
                self.SNAPSHOT,
                coinbase(1.1, "l2update", "1970-01-01T00:00:05Z", changes=changes),
                coinbase(1.2, "l2update", "1970-01-01T00:00:05Z", changes=[["buy", "6", "3"]]),
            ],
        )
        assert (recording.instrument, recording.symbol) == ("ETH-BTC", "A-B")
        assert [state.venue_seq for state in recording.states] == [1, 5_000_000, 5_000_001]
        assert recording.states[1].asks == (("8.5", "2"), ("9", "1"))
        assert recording.states[2].bids == (("7", "1"), ("6", "3"))

    def test_a_time_that_goes_back_is_refused(self) -> None:
        late = [
            coinbase(1.1, "l2update", f"1970-01-01T00:00:0{second}Z", changes=[])
            for second in (5, 4)
        ]
        with pytest.raises(ConfigError, match="A-B at coinbase is broken: the time 4000000"):
            rebuild_coinbase(COINBASE_LIST, [self.SNAPSHOT, *late])

    def test_a_change_before_its_snapshot_is_refused(self) -> None:
        with pytest.raises(ValueError, match="a change of A-B comes before its snapshot"):
            rebuild_coinbase(COINBASE_LIST, [coinbase(1.0, "l2update", changes=[])])


KUCOIN_URL = "https://api.kucoin.com/api"
KUCOIN_LIST = [
    f"{KUCOIN_URL}/v1/symbols -> 1.0: "
    + json.dumps({"data": [{"symbol": "A-B", "baseCurrency": "ETH", "quoteCurrency": "BTC"}]})
]


def kucoin_seed(at: float, sequence: int, bids: Levels, asks: Levels) -> str:
    body = {"data": {"sequence": str(sequence), "bids": bids, "asks": asks}}
    return f"{KUCOIN_URL}/v3/market/orderbook/level2?symbol=A-B -> {at}: {json.dumps(body)}"


def kucoin_delta(at: float, first: int, last: int, bids: Levels, asks: Levels) -> str:
    changes = {"bids": bids, "asks": asks}
    data = {"sequenceStart": first, "symbol": "A-B", "changes": changes, "sequenceEnd": last}
    frame = {"data": data, "topic": "/market/level2:A-B", "type": "message"}
    return f"{at}: " + json.dumps(frame, separators=(",", ":"))


class TestKucoin:
    SEED = kucoin_seed(1.5, 10, [["7", "1"]], [["8", "1"]])

    def test_a_straddling_message_counts_from_the_seed_on_and_price_0_for_nothing(self) -> None:
        (recording,) = rebuild_kucoin(
            KUCOIN_LIST,
            [self.SEED],
            [
                kucoin_delta(1.0, 9, 10, [["7", "9", "9"]], []),
                kucoin_delta(1.2, 10, 11, [["7", "9", "10"], ["6", "2", "11"]], []),
                kucoin_delta(1.3, 12, 12, [], [["0", "0", "12"]]),
                kucoin_delta(1.4, 13, 13, [], [["8", "0", "13"]]),
            ],
        )
        assert (recording.instrument, recording.symbol) == ("ETH-BTC", "A-B")
        assert [state.venue_seq for state in recording.states] == [10, 11, 12, 13]
        assert recording.states[1].bids == (("7", "1"), ("6", "2"))
        assert recording.states[2].asks == (("8", "1"),)
        assert recording.states[3].asks == ()

    def test_a_missing_message_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"A-B at kucoin is broken: .* the change 11"):
            rebuild_kucoin(KUCOIN_LIST, [self.SEED], [kucoin_delta(2.0, 12, 12, [], [])])


GATEIO_URL = "https://api.gateio.ws/api/v4/spot"
GATEIO_LIST = [
    f"{GATEIO_URL}/currency_pairs -> 1.0: "
    + json.dumps([{"id": "A_B", "base": "ETH", "quote": "BTC", "trade_status": "tradable"}])
]


def gateio_delta(at: float, first: int, last: int, bids: Levels, asks: Levels) -> str:
    result = {"t": 1, "s": "A_B", "U": first, "u": last, "b": bids, "a": asks}
    push = {"time": 1, "channel": "spot.order_book_update", "event": "update", "result": result}
    return f"{at}: " + json.dumps(push, separators=(",", ":"))


class TestGateio:
    SEED = (
        f"{GATEIO_URL}/order_book?currency_pair=A_B&limit=100&with_id=true -> 1.5: "
        + json.dumps({"id": 10, "bids": [["7", "1"]], "asks": [["8", "1"]]})
    )

    def test_what_is_newer_than_the_seed_joins_it(self) -> None:
        (recording,) = rebuild_gateio(
            GATEIO_LIST,
            [self.SEED],
            [
                gateio_delta(1.0, 10, 10, [["6", "9"]], []),
                gateio_delta(1.2, 10, 12, [["7", "2"]], []),
                gateio_delta(1.3, 13, 13, [], [["8", "0"]]),
            ],
        )
        assert (recording.instrument, recording.symbol) == ("ETH-BTC", "A_B")
        assert [state.venue_seq for state in recording.states] == [10, 12, 13]
        assert recording.states[1].bids == (("7", "2"),)
        assert recording.states[2].asks == ()

    def test_a_missing_change_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"A_B at gateio is broken: .* the update 11"):
            rebuild_gateio(GATEIO_LIST, [self.SEED], [gateio_delta(2.0, 12, 12, [], [])])


GEMINI_DETAILS = [
    'https://api.gemini.com/v1/symbols -> 1.0: ["ethbtc"]',
    "https://api.gemini.com/v1/symbols/details/ethbtc -> 1.0: "
    + json.dumps({"symbol": "ETHBTC", "base_currency": "ETH", "quote_currency": "BTC"}),
]


def gemini(at: float, changes: Levels, *, whole: bool = False) -> str:
    message: dict[str, object] = {"type": "l2_updates", "symbol": "ETHBTC", "changes": changes}
    if whole:
        message["trades"] = [{"type": "trade"}]
    return f"{at}: " + json.dumps(message, separators=(",", ":"))


class TestGemini:
    def test_a_message_with_trades_is_a_whole_book(self) -> None:
        (recording,) = rebuild_gemini(
            GEMINI_DETAILS,
            [
                gemini(1.0, [["buy", "5", "1"]], whole=True),
                gemini(2.0, [["buy", "7", "1"], ["sell", "8", "1"]], whole=True),
                '2.5: {"type":"heartbeat","timestamp":1}',
                gemini(3.0, [["buy", "7", "0"], ["sell", "8", "3"]]),
                gemini(3.0, [["buy", "6", "1"]]),
            ],
        )
        assert (recording.instrument, recording.symbol) == ("ETH-BTC", "ethbtc")
        numbers = [state.venue_seq for state in recording.states]
        assert numbers == [2_000_000, 3_000_000, 3_000_001]
        assert recording.states[1].bids == ()
        assert recording.states[2].asks == (("8", "3"),)


class TestLoading:
    def test_names_an_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"no recorded book in .*: name a folder that holds"):
            load_recordings(tmp_path)

    def test_names_the_folder_of_a_message_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "kraken").mkdir()
        (tmp_path / "kraken" / "KRAKEN.ws.1.0").write_text("1.0: [7, {]\n")
        with pytest.raises(ConfigError, match="hold a message of another shape"):
            load_recordings(tmp_path)

    def test_reads_every_venue_of_a_folder(self, tmp_path: Path) -> None:
        for name, lines in {
            "binance/BINANCE.0": BINANCE_LIST,
            "binance/BINANCE.http.0.0": [binance_seed(1.0, 10, [["1.0", "1.0"]], [])],
            "binance/BINANCE.ws.1.0": [],
            "kraken/KRAKEN.ws.50.0": [V1_SEED],
            "kraken/x.ndjson": [TestKrakenV2.ACK, kraken_v2("snapshot", "0", 4, "", "")],
        }.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join(lines) + "\n")

        found = {(recording.venue, recording.instrument) for recording in load_recordings(tmp_path)}
        assert found == {("binance", "ETH-BTC"), ("kraken", "BTC-USD"), ("kraken", "MINA-GBP")}
        assert {one.venue for one in load_recordings(tmp_path, ["kraken"])} == {"kraken"}


@pytest.fixture(scope="module")
def captures() -> list[Recording]:
    return load_recordings(CAPTURES)


@pytest.mark.needs(CAPTURES)
class TestRealCaptures:
    def test_every_book_of_each_venue_is_rebuilt(self, captures: list[Recording]) -> None:
        books = Counter(recording.venue for recording in captures)
        assert books == {
            "binance": 4,
            "bitfinex": 7,
            "bitstamp": 10,
            "coinbase": 10,
            "gateio": 10,
            "htx": 10,
            "gemini": 10,
            "kraken": 11,
            "kucoin": 9,
            "okx": 1,
        }

    def test_kraken_has_a_state_per_verified_checksum(self, captures: list[Recording]) -> None:
        kraken = [recording for recording in captures if recording.venue == "kraken"]
        states = {recording.instrument: len(recording.states) for recording in kraken}
        assert states.pop("MINA-GBP") == 13
        # The first message of a book on the old socket has no checksum.
        assert sum(states.values()) - len(states) == 4269

    def test_okx_has_a_checksum_for_each_message(self, captures: list[Recording]) -> None:
        text = (CAPTURES / "okx" / "OKX.ws.1.0").read_text()
        pushes = [line for line in text.splitlines() if ': {"arg":{"channel":"books"' in line]
        assert sum('"checksum":0' not in line for line in pushes) == len(pushes) == 290
        (okx,) = (recording for recording in captures if recording.venue == "okx")
        assert len(okx.states) == sum('"instId":"BTC-USDT"' in line for line in pushes)

    def test_bitfinex_has_a_state_for_each_of_its_books_frames(
        self, captures: list[Recording]
    ) -> None:
        bitfinex = [recording for recording in captures if recording.venue == "bitfinex"]
        assert sum(len(recording.states) for recording in bitfinex) == 1600

    def test_gateio_applies_each_change_that_is_newer_than_its_seed(
        self, captures: list[Recording]
    ) -> None:
        text = (CAPTURES / "gateio" / "GATEIO.ws.1.0").read_text()
        pushes = text.count('"channel":"spot.order_book_update","event":"update"')
        gateio = [recording for recording in captures if recording.venue == "gateio"]
        assert pushes == 172
        # The others came before their seeds.
        assert sum(len(recording.states) - 1 for recording in gateio) == 159

    def test_coinbase_has_a_state_per_message(self, captures: list[Recording]) -> None:
        text = (CAPTURES / "coinbase" / "COINBASE.ws.28.0").read_text()
        assert text.count(': {"type":"l2update"') == 9719
        coinbase = [recording for recording in captures if recording.venue == "coinbase"]
        assert sum(len(recording.states) for recording in coinbase) == 9719 + len(coinbase)

    def test_gemini_has_a_state_for_each_message(self, captures: list[Recording]) -> None:
        text = (CAPTURES / "gemini" / "GEMINI.ws.1.0").read_text()
        assert text.count('"type":"l2_updates"') == 655
        gemini = [recording for recording in captures if recording.venue == "gemini"]
        assert sum(len(recording.states) for recording in gemini) == 655

    def test_kucoin_has_changes_without_a_level(self, captures: list[Recording]) -> None:
        text = (CAPTURES / "kucoin" / "KUCOIN.ws.1.0").read_text()
        topic = '"topic":"/market/level2:'
        pushes = [line for line in text.splitlines() if topic in line and " <- " not in line]
        assert sum('["0","0",' in line for line in pushes) == 1355
        kucoin = [recording for recording in captures if recording.venue == "kucoin"]
        assert len(pushes) == 3853
        # The others came before their seeds.
        assert sum(len(recording.states) - 1 for recording in kucoin) == 3805

    def test_states_rise_in_time_and_id_and_never_cross(self, captures: list[Recording]) -> None:
        for recording in captures:
            for earlier, later in pairwise(recording.states):
                assert earlier.venue_seq < later.venue_seq
                assert earlier.offset_s <= later.offset_s
            for state in recording.states:
                bids = [float(price) for price, _ in state.bids]
                asks = [float(price) for price, _ in state.asks]
                assert bids == sorted(set(bids), reverse=True)
                assert asks == sorted(set(asks))
                assert bids[0] < asks[0]
