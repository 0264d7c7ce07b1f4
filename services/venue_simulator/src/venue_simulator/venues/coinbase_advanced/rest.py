"""Advanced Trade's public REST: products and books. Source: docs.cdp.coinbase.com.

Each product in USD has an alias in USDC, which is the same book under another name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from venue_simulator.book import Listing
from venue_simulator.times import rfc3339
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.coinbase.listing import whole_sides
from venue_simulator.venues.coinbase.rest import flags

__all__ = ["RATE_LIMITED", "answer", "true_name"]

_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
_MARKET: Final = "/api/v3/brokerage/market"

RATE_LIMITED: Final = RestReply(
    b'{"error":"rate_limit_exceeded","error_details":"too many requests"}', 429, _JSON
)


def true_name(product: str, books: Books) -> str:
    """Return the product whose book `product` is."""
    known = books.listing(product) is not None or not product.endswith("-USDC")
    return product if known else product.removesuffix("C")


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    if request.path == f"{_MARKET}/products":
        products = [
            product
            for listing in books.listings()
            for product in (_product(listing), *_aliases(listing))
        ]
        return _reply({"products": products, "num_products": len(products)})
    if request.path == f"{_MARKET}/product_book":
        return _book(request.query, books, now_ns)
    return _error(404, "NOT_FOUND")


def _product(listing: Listing) -> dict[str, object]:
    return {
        "product_id": listing.symbol,
        "product_type": "SPOT",
        "base_currency_id": listing.base,
        "quote_currency_id": listing.quote,
        "price_increment": listing.tick,
        "quote_increment": listing.tick,
        "base_increment": listing.lot,
        "base_min_size": listing.lot,
        "quote_min_size": "1",
        "alias": "",
        "is_disabled": False,
        "view_only": False,
        **flags(listing),
    }


def _aliases(listing: Listing) -> list[dict[str, object]]:
    if listing.quote != "USD":
        return []
    names = {"product_id": f"{listing.symbol}C", "quote_currency_id": "USDC"}
    return [{**_product(listing), **names, "alias": listing.symbol}]


def _book(query: Mapping[str, str], books: Books, now_ns: int) -> RestReply:
    product = true_name(query.get("product_id", ""), books)
    state, limit = books.state(product), query.get("limit", "")
    if state is None:
        return _error(404, "NOT_FOUND")
    levels = int(limit) if limit.isdecimal() else None
    bids, asks = (
        [{"price": price, "size": size} for price, size in side[:levels]]
        for side in whole_sides(state)
    )
    time = rfc3339(now_ns // 1000)
    return _reply({"pricebook": {"product_id": product, "bids": bids, "asks": asks, "time": time}})


def _reply(data: object) -> RestReply:
    return RestReply(msgspec.json.encode(data), headers=_JSON)


def _error(status: int, word: str) -> RestReply:
    return RestReply(msgspec.json.encode({"error": word, "error_details": word}), status, _JSON)
