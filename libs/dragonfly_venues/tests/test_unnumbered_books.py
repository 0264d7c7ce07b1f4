"""Whole books over REST that have no number in common with the stream, as the venues print them."""

from __future__ import annotations

import pytest
from dragonfly_venues.bitfinex import seed as bitfinex
from dragonfly_venues.bitget import seed as bitget
from dragonfly_venues.cryptocom import seed as cryptocom
from dragonfly_venues.events import BookTop, FrameError
from dragonfly_venues.kraken import seed as kraken
from dragonfly_venues.venue import SnapshotSource

KRAKEN = (
    b'{"error":[],"result":{"XXBTZUSD":{"asks":[["10.50000","0.000",1790114304],'
    b'["11.00000","2.500",1790114301]],"bids":[["9.00000","1.250",1790114302]]}}}'
)
BITFINEX = b"[[9,2,1.25],[8.5,1,0.4],[10.5,3,-0.2],[11,1,-2.5]]"
BITGET = (
    b'{"code":"00000","msg":"success","requestTime":1790114304000,"data":{'
    b'"asks":[["10.5","0.2"],["11","2.5"]],"bids":[["9","1.25"]],"ts":"1790114303990"}}'
)
CRYPTOCOM = (
    b'{"id":-1,"method":"public/get-book","code":0,"result":{"instrument_name":"BTC_USD",'
    b'"depth":50,"data":[{"asks":[["10.5","0.2","1"],["11","2.5","3"]],'
    b'"bids":[["9","1.25","2"]]}]}}'
)


@pytest.mark.parametrize(
    ("source", "symbol", "reply", "least"),
    [
        (kraken.SOURCE, "BTC/USD", KRAKEN, 0.0005),
        (bitfinex.SOURCE, "tBTCUSD", BITFINEX, 0.2),
        (bitget.SOURCE, "BTCUSDT", BITGET, 0.2),
        (cryptocom.SOURCE, "BTC_USD", CRYPTOCOM, 0.2),
    ],
    ids=["kraken", "bitfinex", "bitget", "cryptocom"],
)
def test_a_reply_is_a_book_that_answers_questions_alone(
    source: SnapshotSource, symbol: str, reply: bytes, least: float
) -> None:
    asks = ((10.5, least), (11.0, 2.5))
    assert source.parse(reply, symbol, 1) == BookTop(symbol, 0, None, ((9.0, 1.25),), asks[:1])
    assert source.parse(reply, symbol, 9).asks == asks
    assert source.cached_s is not None
    for cut in range(1, len(reply) - 1):
        with pytest.raises(FrameError):
            source.parse(reply[:cut], symbol, 1)


@pytest.mark.parametrize(
    ("source", "reply", "said"),
    [
        (kraken.SOURCE, b'{"error":["EQuery:Unknown asset pair"]}', "EQuery:Unknown asset pair"),
        (kraken.SOURCE, b'{"error":[],"result":{}}', "not one book"),
        (bitfinex.SOURCE, b'["error",10020,"symbol: invalid"]', "Expected `array`, got `str`"),
        (bitget.SOURCE, b'{"code":"40034","msg":"Parameter does not exist"}', "does not exist"),
        (cryptocom.SOURCE, b'{"code":40003,"message":"Unknown symbol"}', "Unknown symbol"),
    ],
)
def test_an_error_is_no_book(source: SnapshotSource, reply: bytes, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        source.parse(reply, "X", 1)


def test_kraken_has_the_names_of_its_old_socket_over_rest() -> None:
    assert kraken.SOURCE.path("BTC/USD") == "/0/public/Depth?pair=XBTUSD&count=100"
    assert kraken.SOURCE.path("DOGE/BTC") == "/0/public/Depth?pair=XDGXBT&count=100"
    assert kraken.SOURCE.path("ETH/EUR") == "/0/public/Depth?pair=ETHEUR&count=100"
