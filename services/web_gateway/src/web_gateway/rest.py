"""REST: one answer to one question."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager
from typing import Final, TypeAlias, TypeVar

import msgspec
from dragonfly_client.client import DragonflyClient
from dragonfly_client.errors import ClientError
from dragonfly_client.explaining import explain
from dragonfly_client.messages import TakeSide
from dragonfly_views.access import Access
from dragonfly_views.refusals import (
    CallRefusedError,
    check_instruments,
    check_market,
    invalid,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from web_gateway import counters
from web_gateway.access import admit, check_trades, peer_of, token_of
from web_gateway.dialogue import check_group
from web_gateway.feeds import MakeClient, WebFeed
from web_gateway.forms import explanation_form, form_of, instrument_form, venue_form
from web_gateway.history import Histories
from web_gateway.history_forms import history_form
from web_gateway.instruments import Listed
from web_gateway.openapi import document
from web_gateway.order_forms import detail_form, engine_form, order_form, orders_form
from web_gateway.orders import OrdersTold, order_detail, parse_kill, parse_ticket
from web_gateway.refusing import NUMBERS, STATUSES, refusal_of

__all__ = ["Rest", "answer_json"]

MOST_NAMES: Final = 64
MOST_FOUND: Final = 1000
MOST_BODY_BYTES: Final = 16 << 10

N = TypeVar("N", int, float)
Answer: TypeAlias = Callable[[Request], Awaitable[object]]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def answer_json(body: object, status: int = 200) -> Response:
    headers = {"cache-control": "no-store"}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    counters.REQUESTS.labels(str(status)).inc()
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


class Rest:
    """The answers, each by one call of the gateway or two."""

    def __init__(
        self,
        client: DragonflyClient,
        make_client: MakeClient,
        access: Access,
        listed: Listed,
        histories: Histories,
        venues: Callable[[], WebFeed],
    ) -> None:
        self._client = client
        self._make_client = make_client
        self._access = access
        self._listed = listed
        self._histories = histories
        self._venues_feed = venues

    def routes(self) -> list[Route]:
        paths: dict[str, dict[str, Answer]] = {
            "/v1/instruments": {"GET": self._instruments},
            "/v1/venues": {"GET": self._venues},
            "/v1/book/{instrument}": {"GET": self._book},
            "/v1/bbo": {"GET": self._bbo},
            "/v1/liquidity/{instrument}": {"GET": self._liquidity},
            "/v1/executable": {"GET": self._executable},
            "/v1/explain/{instrument}": {"GET": self._explain},
            "/v1/history/{instrument}": {"GET": self._history},
            "/v1/engine": {"GET": self._engine},
            "/v1/orders": {"GET": self._orders, "POST": self._liquidate},
            "/v1/orders/{order_id}": {"GET": self._order},
            "/v1/orders/{order_id}/cancel": {"POST": self._cancel},
            "/v1/kill": {"POST": self._kill},
        }
        return [
            *(
                Route(path, _Resource({how: self._answering(one) for how, one in answers.items()}))
                for path, answers in paths.items()
            ),
            Route("/v1/health", _Resource({"GET": self._health})),
            Route("/openapi.json", _Resource({"GET": self._openapi})),
        ]

    def _answering(self, answer: Answer) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                with ExitStack() as holding:
                    caller = request.state.caller = admit(request, self._access)
                    names = [request.path_params.get("instrument", "")]
                    held = [*names, *request.query_params.getlist("instrument")]
                    holding.enter_context(caller.account.stream(peer_of(request), "end one"))
                    holding.enter_context(
                        caller.account.holding(filter(None, held[:MOST_NAMES]), peer_of(request))
                    )
                    return answer_json(await answer(request))
            except CallRefusedError as refusal:
                return _refused(refusal)
            except ClientError as error:
                return _refused(refusal_of(error))

        return endpoint

    async def _instruments(self, request: Request) -> object:
        search = request.query_params.get("search", "").upper()
        venue = request.query_params.get("venue", "")
        limit = _number(request, "limit", int, MOST_FOUND, 1, 100_000)
        if venue:
            found: Iterable[object] = [
                instrument_form(one)
                for one in await self._client.instruments(venue=venue)
                if search in one.instrument
            ][:limit]
        else:
            matching = [one for one in await self._listed.newest() if search in one.instrument]
            # What begins so is meant sooner, and what more venues list.
            matching.sort(
                key=lambda one: (
                    one.instrument != search,
                    not one.instrument.startswith(search),
                    -len(one.venues) if search else 0,
                    one.instrument,
                )
            )
            found = [instrument_form(one) for one in matching[:limit]]
        return {"instruments": found}

    async def _venues(self, _: Request) -> object:
        return {"venues": [venue_form(one) for one in await self._client.get_venues()]}

    async def _book(self, request: Request) -> object:
        name = self._market(request)
        return form_of(await self._client.get_book(name, depth=_depth(request)))

    async def _bbo(self, request: Request) -> object:
        names = check_instruments(
            request.query_params.getlist("instrument"),
            MOST_NAMES,
            self._listed.names.__contains__,
        )
        return {"bbo": [form_of(await self._client.get_bbo(name)) for name in names]}

    async def _liquidity(self, request: Request) -> object:
        name = self._market(request)
        group = check_group(_number(request, "group", float, 0.0, 0.0, math.inf))
        return form_of(await self._client.get_liquidity(name, depth=_depth(request)), group=group)

    async def _executable(self, request: Request) -> object:
        query = request.query_params
        name = check_market(query.get("instrument", ""), self._listed.names.__contains__)
        side = query.get("side", "")
        if side not in {"buy", "sell"}:
            raise invalid(f"side {side[:60]!r}: give buy or sell")
        sizes = [_parsed("size", text, float) for text in query.getlist("size")]
        if not sizes:
            raise invalid("no size: give one to 16, such as size=0.5")
        in_quote = query.get("in_quote", "false")
        if in_quote not in {"true", "false"}:
            raise invalid(f"in_quote {in_quote[:60]!r}: give true or false")
        known: TakeSide = "buy" if side == "buy" else "sell"
        return form_of(
            await self._client.get_executable(
                name,
                known,
                sizes,
                in_quote=in_quote == "true",
                venues=query.getlist("venue"),
                fees=_fees(query.get("fees", "")),
            )
        )

    async def _explain(self, request: Request) -> object:
        name = self._market(request)
        why = await explain(self._client, name, request.query_params.get("venue", ""))
        past = self._histories.known(name)
        return {"instrument": name, "venues": [explanation_form(one, past) for one in why]}

    async def _history(self, request: Request) -> object:
        name = self._market(request)
        return history_form(name, self._histories.ask(name), time.time_ns())

    async def _engine(self, request: Request) -> object:
        async with self._trader(request) as client:
            return engine_form(await client.engine())

    async def _orders(self, request: Request) -> object:
        everything = request.query_params.get("all", "false")
        if everything not in {"true", "false"}:
            raise invalid(f"all {everything[:60]!r}: give true or false")
        async with self._trader(request) as client:
            engine = await client.engine()
            return orders_form(
                OrdersTold(engine, await client.orders(everything=everything == "true"))
            )

    async def _order(self, request: Request) -> object:
        async with self._trader(request) as client:
            return detail_form(await order_detail(client, request.path_params["order_id"]))

    async def _liquidate(self, request: Request) -> object:
        async with self._trader(request, changes=True) as client:
            return order_form(await client.liquidate(parse_ticket(await _body(request))))

    async def _cancel(self, request: Request) -> object:
        async with self._trader(request, changes=True) as client:
            return order_form(await client.cancel(request.path_params["order_id"]))

    async def _kill(self, request: Request) -> object:
        async with self._trader(request, changes=True) as client:
            return engine_form(await client.kill(parse_kill(await _body(request))))

    @asynccontextmanager
    async def _trader(
        self, request: Request, *, changes: bool = False
    ) -> AsyncIterator[DragonflyClient]:
        """Yield a client with the token of who asks: the gateway knows whose orders it may see."""
        check_trades(request.state.caller, self._access, changes=changes)
        async with self._make_client(lambda _: None, token_of(request, self._access)) as client:
            yield client

    async def _health(self, _: Request) -> Response:
        feed = self._venues_feed()
        venues = feed.said if isinstance(feed.said, tuple) and not feed.lost else ()
        live = sum(venue.state.name == "LIVE" for venue in venues)
        return answer_json(
            {
                "live": bool(live),
                "reason": feed.lost or ("" if live else "no venue is live"),
                "venues": len(venues),
                "venues_live": live,
            },
            200 if live else 503,
        )

    async def _openapi(self, _: Request) -> Response:
        return answer_json(document())

    def _market(self, request: Request) -> str:
        text: str = request.path_params["instrument"]
        return check_market(text, self._listed.names.__contains__)


class _Resource:
    """What one path answers, by method; all others are refused, with those that there are."""

    def __init__(self, answers: dict[str, Endpoint]) -> None:
        self._answers = answers | ({"HEAD": answers["GET"]} if "GET" in answers else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = self._answers.get(request.method)
        if answer is None:
            raise HTTPException(405, headers={"allow": ", ".join(sorted(self._answers))})
        response = await answer(request)
        await response(scope, receive, send)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise invalid(f"the body is longer than {MOST_BODY_BYTES} bytes: send less")
    return body


def _refused(refusal: CallRefusedError) -> Response:
    body = {"error": refusal.sentence, "code": NUMBERS[refusal.code]}
    return answer_json(body, STATUSES[refusal.code])


def _depth(request: Request) -> int:
    return _number(request, "depth", int, 0, 0, 100)


def _number(request: Request, name: str, kind: type[N], default: N, least: float, most: float) -> N:
    text = request.query_params.get(name)
    if text is None:
        return default
    value = _parsed(name, text, kind)
    if not least <= value <= most:
        raise invalid(f"{name} {text[:60]} is out of range: give {least:g} to {most:g}")
    return value


def _parsed(name: str, text: str, kind: type[N]) -> N:
    try:
        value = kind(text)
    except ValueError:
        raise invalid(f"{name} {text[:60]!r}: give a {'whole ' * (kind is int)}number") from None
    if not math.isfinite(value):
        raise invalid(f"{name} {text[:60]!r} is no number: give one that is finite")
    return value


def _fees(text: str) -> dict[str, float] | None:
    if not text:
        return None
    fees: dict[str, float] = {}
    for pair in text.split(","):
        venue, equals, bps = pair.partition("=")
        if not equals or not venue:
            raise invalid(f"fees {text[:60]!r}: give VENUE=BPS,… such as binance=10,kraken=26")
        fees[venue] = _parsed(f"the fee of {venue[:60]}", bps, float)
    return fees
