"""Who asks: the token in a request's header, or in the first message of a WebSocket."""

from __future__ import annotations

from dragonfly_views.access import Access
from dragonfly_views.accounts import Caller
from dragonfly_views.refusals import CallRefusedError, RefusalCode
from dragonfly_views.tokens import MARKET_DATA, TRADE
from starlette.requests import HTTPConnection

__all__ = ["admit", "admit_token", "check_trades", "peer_of", "token_of"]

SCHEME = "bearer "


def peer_of(connection: HTTPConnection) -> str:
    client = connection.client
    return f"{client.host}:{client.port}" if client else "somebody"


def admit(connection: HTTPConnection, access: Access) -> Caller:
    """Return who makes a request that begins.

    Raises:
        CallRefusedError: nobody whom this gateway knows, or a bot that asks too fast.
    """
    return admit_token(peer_of(connection), token_of(connection, access), access)


def token_of(connection: HTTPConnection, access: Access) -> str:
    """Return the token that a request shows, nothing where none is asked for.

    Raises:
        CallRefusedError: it shows none.
    """
    peer = peer_of(connection)
    token = ""
    if access.asks_tokens:
        sent = connection.headers.getlist("authorization")
        if not sent:
            raise access.unknown(
                peer, "no_token", "no token: send the header `Authorization: Bearer TOKEN`"
            )
        if len(sent) > 1 or not sent[0].lower().startswith(SCHEME):
            raise access.unknown(
                peer,
                "malformed_token",
                "the header `Authorization` is not `Bearer TOKEN`: send it so, and once",
            )
        token = sent[0][len(SCHEME) :].strip()
    return token


def admit_token(peer: str, token: str, access: Access) -> Caller:
    """Return whose token it is.

    Raises:
        CallRefusedError: as of `admit`.
    """
    caller = access.admit(peer, token=token)
    if MARKET_DATA not in caller.scopes:
        raise access.unknown(
            peer,
            "scope",
            "the token is not for market data: use another, or have md added to its scopes",
        )
    return caller


def check_trades(caller: Caller, access: Access, *, changes: bool) -> None:
    """Refuse orders to who may not see them or, where it `changes` any, may not give them.

    Without tokens people see the orders of the gateway, which are nobody's, and give none: any
    page that a browser has open could.

    Raises:
        CallRefusedError: the caller may not.
    """
    if not access.asks_tokens:
        if changes:
            raise CallRefusedError(
                RefusalCode.UNKNOWN_CALLER,
                "orders are taken only where tokens are asked for: start `dragonfly web` with"
                " --tokens, and show a token of scope trade",
            )
    elif TRADE not in caller.scopes:
        raise access.unknown(
            caller.peer,
            "scope",
            "the token is not for orders: use another, or have trade added to its scopes",
        )
