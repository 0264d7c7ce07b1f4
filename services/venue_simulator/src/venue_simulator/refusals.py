"""The HTTP replies of venues and their fronts to those whom they do not serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from venue_simulator.faults import ActiveFaults, FaultKind
from venue_simulator.venue import RestReply

__all__ = ["refusal"]

_PAGE: Final = {"Content-Type": "text/html; charset=utf-8"}
_JSON: Final = {"Content-Type": "application/json;charset=utf-8"}

_REPLIES: Final[Mapping[FaultKind, RestReply]] = {
    FaultKind.HTTP_302: RestReply(b"", 302, {"Location": "https://elsewhere.invalid/"}),
    FaultKind.HTTP_403: RestReply(
        b"<!DOCTYPE html>\n<html><head><title>Access denied</title></head></html>", 403, _PAGE
    ),
    FaultKind.HTTP_404: RestReply(b"404 page not found\n", 404, {"Content-Type": "text/plain"}),
    FaultKind.HTTP_418: RestReply(
        b'{"code":-1003,"msg":"Way too much request weight used; IP banned."}',
        418,
        {**_JSON, "Retry-After": "2"},
    ),
    FaultKind.HTTP_451: RestReply(
        b'{"code":0,"msg":"Service unavailable from a restricted location."}', 451, _JSON
    ),
    FaultKind.HTTP_503: RestReply(
        b"<html><head><title>Scheduled maintenance</title></head></html>", 503, _PAGE
    ),
}


def refusal(faults: ActiveFaults) -> RestReply | None:
    """Return what REST and handshakes are answered with now, None where they are served."""
    return next((reply for kind, reply in _REPLIES.items() if faults.lasts(kind)), None)
