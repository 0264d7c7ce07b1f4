"""The REST API's description of itself: OpenAPI 3.1, made of the forms that are sent."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import msgspec
from dragonfly_client.orders import Ticket

from web_gateway.forms import (
    BboForm,
    BookForm,
    ExecutableForm,
    ExplanationForm,
    InstrumentForm,
    LiquidityForm,
    VenueForm,
)
from web_gateway.history_forms import HistoryForm
from web_gateway.order_forms import EngineForm, OrderDetailForm, OrderForm, OrdersForm
from web_gateway.orders import KillBody

__all__ = ["ErrorForm", "document"]


class ErrorForm(msgspec.Struct):
    """A refusal: one sentence that names the input, the rule and the remedy; gRPC's number."""

    error: str
    code: int


class InstrumentsForm(msgspec.Struct):
    """What was found."""

    instruments: list[InstrumentForm]


class VenuesForm(msgspec.Struct):
    """Every venue."""

    venues: list[VenueForm]


class BbosForm(msgspec.Struct):
    """In the order of the names."""

    bbo: list[BboForm]


class ExplainedForm(msgspec.Struct):
    """Each venue's part."""

    instrument: str
    venues: list[ExplanationForm]


class HealthForm(msgspec.Struct):
    """Whether any venue is live."""

    live: bool
    reason: str
    venues: int
    venues_live: int


_ASSET: Final = "[A-Z0-9][A-Z0-9.]{0,19}"
_INSTRUMENT: Final = {"type": "string", "pattern": f"^{_ASSET}-{_ASSET}$"}
_FEE: Final = "[a-z_]{1,20}=[0-9]{1,3}([.][0-9]{1,4})?"
_DEPTH: Final = ("depth", False, {"type": "integer", "minimum": 0, "maximum": 100})
_VENUE: Final = ("venue", False, {"type": "string"})
_NAMES: Final = {
    "type": "array",
    "minItems": 1,
    "maxItems": 64,
    "uniqueItems": True,
    "items": _INSTRUMENT,
}

_Parameter = tuple[str, bool, dict[str, Any]]

_PATHS: Final[dict[str, tuple[str, type, tuple[_Parameter, ...]]]] = {
    "/v1/instruments": (
        "What is listed, best matches first where there is a search",
        InstrumentsForm,
        (
            ("search", False, {"type": "string"}),
            _VENUE,
            ("limit", False, {"type": "integer", "minimum": 1, "maximum": 100_000}),
        ),
    ),
    "/v1/venues": ("The state of every venue", VenuesForm, ()),
    "/v1/book/{instrument}": ("The consolidated book", BookForm, (_DEPTH,)),
    "/v1/bbo": ("The best prices of instruments", BbosForm, (("instrument", True, _NAMES),)),
    "/v1/liquidity/{instrument}": (
        "The book with equal prices merged, or those of one step of `group`",
        LiquidityForm,
        (
            _DEPTH,
            ("group", False, {"type": "number", "minimum": 1e-12, "maximum": 1e12}),
        ),
    ),
    "/v1/executable": (
        "What it costs to buy or sell sizes now, over all venues, after fees",
        ExecutableForm,
        (
            ("instrument", True, _INSTRUMENT),
            ("side", True, {"type": "string", "enum": ["buy", "sell"]}),
            (
                "size",
                True,
                {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 16,
                    "items": {"type": "number", "minimum": 1e-12, "maximum": 1e15},
                },
            ),
            ("in_quote", False, {"type": "boolean"}),
            ("venue", False, {"type": "array", "items": {"type": "string"}}),
            ("fees", False, {"type": "string", "pattern": f"^({_FEE}(,{_FEE})*)?$"}),
        ),
    ),
    "/v1/explain/{instrument}": (
        "Why each venue is in the book, or is not, and what brings it back",
        ExplainedForm,
        (_VENUE,),
    ),
    "/v1/history/{instrument}": (
        "What became of it in the last minutes; kept from when it is asked for first",
        HistoryForm,
        (),
    ),
    "/v1/engine": ("The execution engine; with tokens, one of scope trade", EngineForm, ()),
    "/v1/orders": (
        "The open orders of who asks, newest first; with `all`, those that are over, too",
        OrdersForm,
        (("all", False, {"type": "boolean"}),),
    ),
    "/v1/orders/{order_id}": ("An order, with what it has at venues", OrderDetailForm, ()),
    "/v1/health": ("Whether any venue is live; needs no token", HealthForm, ()),
}

_CHANGES: Final[dict[str, tuple[str, type, type | None]]] = {
    "/v1/orders": ("Work an order; the same `client_id` is the same order", OrderForm, Ticket),
    "/v1/orders/{order_id}/cancel": ("End an order: nothing more is sent", OrderForm, None),
    "/v1/kill": ("Stop everything, of every customer", EngineForm, KillBody),
}
"""What is posted, with a token of scope trade: the answer and the body."""

_REFUSALS: Final = {
    "400": "The request breaks a rule",
    "401": "The token is not known",
    "404": "It is not there",
    "409": "It is there already, and another one",
    "429": "A quota or a limit is reached",
    "503": "It cannot be said now",
    "504": "It may have been carried out, or not: ask how things stand",
}


@cache
def document() -> dict[str, Any]:
    """Return the document that is served at /openapi.json."""
    bodies = [body for _, _, body in _CHANGES.values() if body is not None]
    answers = [form for _, form, *_ in (*_PATHS.values(), *_CHANGES.values())]
    schemas, components = msgspec.json.schema_components(
        [ErrorForm, *bodies, *answers], ref_template="#/components/schemas/{name}"
    )
    known = dict(zip([ErrorForm, *bodies, *answers], schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for path, (summary, form, parameters) in _PATHS.items():
        paths[path] = {"get": _operation(path, summary, known[form], known[ErrorForm], parameters)}
    for path, (summary, form, body) in _CHANGES.items():
        operation = _operation(path, summary, known[form], known[ErrorForm], ())
        operation["operationId"] += "_post"
        if body is not None:
            operation["requestBody"] = {"content": {"application/json": {"schema": known[body]}}}
        paths.setdefault(path, {})["post"] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DragonflyBot",
            "version": "1",
            "description": "Consolidated order books. 64-bit integers are text; times are"
            " nanoseconds UTC. The WebSocket at /v1/stream has the same as it changes.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(
    path: str,
    summary: str,
    schema: dict[str, Any],
    refused: dict[str, Any],
    parameters: tuple[_Parameter, ...],
) -> dict[str, Any]:
    given = [
        {"name": name, "in": "query", "required": required, "schema": one}
        for name, required, one in parameters
    ]
    for name, kind in (("instrument", _INSTRUMENT), ("order_id", {"type": "string"})):
        if f"{{{name}}}" in path:
            given.insert(0, {"name": name, "in": "path", "required": True, "schema": kind})
    health = path == "/v1/health"
    refusals = {"503": "No venue is live"} if health else _REFUSALS
    return {
        "operationId": "_".join(re.findall(r"(?<=/)\w+|order_id", path)[1:]),
        "summary": summary,
        "parameters": given,
        "responses": {"200": _response("The answer", schema)}
        | {
            status: _response(why, schema if health else refused)
            for status, why in refusals.items()
        },
    }


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
