from __future__ import annotations

from dragonfly_common.listings import Listings
from dragonfly_common.messages import Instruments


def test_what_any_venue_lists_is_listed() -> None:
    listings = Listings()
    listings.take(Instruments("kraken", ("BTC-USD",)))
    listings.take(Instruments("binance", ("ETH-BTC",)))
    assert listings.lists("BTC-USD")
    assert listings.lists("ETH-BTC")
    listings.take(Instruments("kraken", ()))
    assert not listings.lists("BTC-USD")


def test_a_refusal_names_what_was_meant() -> None:
    listings = Listings()
    listings.take(Instruments("kraken", ("BTC-USD",)))
    assert listings.refusal("XBT-USD") == "no venue lists XBT-USD: did you mean BTC-USD?"
    assert listings.refusal("ABC-XYZ") == "no venue lists ABC-XYZ"
    assert listings.refusal("ABC-XYZ", "look") == "no venue lists ABC-XYZ: look"


def test_what_is_not_listed_is_told_once_until_it_is() -> None:
    listings = Listings()
    asked = ("BTC-USD", "NEW-USD")
    listings.take(Instruments("kraken", ("BTC-USD",)))
    assert list(listings.unlisted(asked)) == ["NEW-USD"]
    assert list(listings.unlisted(asked)) == []
    listings.take(Instruments("kraken", asked))
    assert list(listings.unlisted(asked)) == []
    listings.take(Instruments("kraken", ()))
    assert list(listings.unlisted(asked)) == list(asked)
