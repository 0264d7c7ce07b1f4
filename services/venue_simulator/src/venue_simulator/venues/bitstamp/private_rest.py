"""Who signed a request to Bitstamp, and the reply.

Source: bitstamp.net/api, "Authentication" (v2 headers). The signed text names the host and path of
the venue; a client that calls a mirror, as this is one, may sign the mirror's. From memory: codes
of a bad signature and nonce (API0005, API0004), texts of all API codes, and how far a timestamp
may be off (150 s).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from venue_simulator.trading.accounts import TradingAccount
from venue_simulator.trading.requests import SignedRequest
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.bitstamp.orders import BitstampError, SignedCall, find_method

__all__ = ["signature", "signed"]

HOST: Final = "www.bitstamp.net"
VALID_MS: Final = 150_000

_JSON: Final = {"Content-Type": "application/json"}
_NONCE: Final = re.compile(r"[0-9a-z-]{36}")
_FAILURE: Final = BitstampError("500.001", "Internal server error.")
_TIMEOUT: Final = BitstampError("504.001", "Gateway timeout.")
_LIMITED: Final = BitstampError("400.002", "Request rejected due to exceeded rate limit.")


def signed(request: RestRequest, books: Books) -> SignedRequest[RestReply] | None:
    """Return a signed request for the venue's desk, None where it is none."""
    found = find_method(request.path) if request.method == "POST" else None
    if found is None:
        return None
    _, _, changes = found
    return SignedRequest(
        partial(_perform, request, books),
        changes,
        unknown=_refuse(_TIMEOUT),
        failed=_refuse(_FAILURE),
        limit=_limit,
    )


def signature(secret: str, text: str) -> str:
    """Return `X-Auth-Signature` of what is signed: HMAC-SHA256 in hex."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _perform(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    found = find_method(request.path)
    assert found is not None, "only what is found is asked"
    method, pair, _ = found
    try:
        account = _authenticate(request, books, now_ns)
        params = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        result = method(SignedCall(books, account, params, now_ns), pair)
    except BitstampError as error:
        return _refuse(error)
    return RestReply(msgspec.json.encode(result), headers=_JSON)


def _authenticate(request: RestRequest, books: Books, now_ns: int) -> TradingAccount:
    headers = request.headers
    account = books.desk.accounts.get(headers.get("x-auth", "").removeprefix("BITSTAMP "))
    if account is None:
        raise BitstampError("API0011", "Invalid API key")
    nonce, stamp = headers.get("x-auth-nonce", ""), headers.get("x-auth-timestamp", "")
    now_ms = now_ns // 1_000_000
    is_number = stamp.isascii() and stamp.isdecimal() and len(stamp) < 20
    if not is_number or abs(int(stamp) - now_ms) > VALID_MS:
        raise BitstampError("API0017", "X-Auth-Timestamp header is missing or invalid")
    sent = headers.get("x-auth-signature", "").lower().encode()
    made = (signature(account.secret, text).encode() for text in _texts(request))
    if not any(hmac.compare_digest(one, sent) for one in made):
        raise BitstampError("API0005", "Invalid signature")
    used = account.used_nonces
    if not _NONCE.fullmatch(nonce) or now_ms - used.get(nonce, -VALID_MS) < VALID_MS:
        raise BitstampError("API0004", "Invalid nonce")
    used[nonce] = now_ms
    while used and now_ms - next(iter(used.values())) >= VALID_MS:
        del used[next(iter(used))]
    return account


def _texts(request: RestRequest) -> Iterator[str]:
    """Yield what may have been signed: for the venue's own address, and for this one."""
    headers = request.headers
    kind = headers.get("content-type", "") if request.body else ""
    place = urlsplit(request.ws_base).path
    tail = "".join(
        (
            f"?{request.raw_query}" if request.raw_query else "",
            kind,
            headers.get("x-auth-nonce", ""),
            headers.get("x-auth-timestamp", ""),
            headers.get("x-auth-version", ""),
            request.body.decode("utf-8", "replace"),
        )
    )
    for host in (HOST, headers.get("host", "")):
        for path in (request.path, place + request.path):
            yield f"{headers.get('x-auth', '')}{request.method}{host}{path}{tail}"


def _limit(status: int, now_ns: int, retry_at_ns: int) -> RestReply:
    wait_s = max(1, (retry_at_ns - now_ns) // 1_000_000_000)
    reply = _refuse(_LIMITED)
    return RestReply(reply.body, 429, {**_JSON, "Retry-After": str(wait_s)})


def _refuse(error: BitstampError) -> RestReply:
    if error.code.startswith("API"):
        said: dict[str, object] = {"status": "error", "reason": error.text, "code": error.code}
        return RestReply(msgspec.json.encode(said), 403, _JSON)
    said = {
        "status": "error",
        "reason": error.text,
        "response_code": error.code,
        "response_explanation": error.text,
    }
    return RestReply(msgspec.json.encode(said), int(error.code[:3]), _JSON)
