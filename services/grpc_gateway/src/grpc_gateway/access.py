"""The credentials of a call: a token in its metadata, a name in its certificate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dragonfly_views.access import Access
from dragonfly_views.accounts import Caller
from dragonfly_views.tokens import MARKET_DATA, TRADE

from grpc_gateway.context import Context

__all__ = ["admit"]

COMMON_NAME: Final = "x509_common_name"
SCHEME: Final = "bearer "
_FOR: Final = {MARKET_DATA: "market data", TRADE: "orders"}


def admit(
    context: Context, access: Access, *, certificates: bool, scope: str = MARKET_DATA
) -> Caller:
    """Return who makes a call that begins; `certificates` says that bots must show one.

    A token must be for `scope`.

    Raises:
        CallRefusedError: nobody whom this gateway knows, or a bot that opens calls too fast.
    """
    peer = context.peer()
    name = _certified_name(context, access) if certificates else ""
    token = _token(context, access) if access.asks_tokens else ""
    caller = access.admit(peer, token=token, name=name)
    if access.asks_tokens and scope not in caller.scopes:
        raise access.unknown(
            peer,
            "scope",
            f"the token is not for {_FOR[scope]}: use another, or have {scope} added to its scopes",
        )
    return caller


def _certified_name(context: Context, access: Access) -> str:
    names = context.auth_context().get(COMMON_NAME, ())
    name = names[0].decode(errors="replace") if names else ""
    if not name:
        raise access.unknown(
            context.peer(),
            "nameless_certificate",
            "the certificate has no common name: give it the bot's",
        )
    return name


def _token(context: Context, access: Access) -> str:
    sent = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    if not sent:
        raise access.unknown(
            context.peer(), "no_token", "no token: send metadata `authorization: Bearer TOKEN`"
        )
    token = _bearer(sent)
    if token is None:
        raise access.unknown(
            context.peer(),
            "malformed_token",
            "metadata `authorization` is not `Bearer TOKEN`: send it so, and once",
        )
    return token


def _bearer(sent: Iterable[str | bytes]) -> str | None:
    value, *more = sent
    if more or not isinstance(value, str) or not value.lower().startswith(SCHEME):
        return None
    return value[len(SCHEME) :].strip() or None
