"""Orders by gRPC: a gateway between a bot and an engine that says what the test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from dragonfly_common.bus import ChannelServer
from dragonfly_common.clock import SystemClock
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import OrderSide
from dragonfly_orders import front_end
from dragonfly_orders.messages import (
    AnswerCode,
    ArrivalTop,
    Command,
    CommandAnswer,
    EngineHello,
    FillNews,
    FrontEndHello,
    IntervalMid,
    Liquidate,
    OrderState,
    OrderStatus,
    Report,
    ReportAck,
    ReportKind,
    Resolve,
    Sweep,
    decode_from_front_end,
    encode,
)
from dragonfly_protos import execution_pb2 as pb
from dragonfly_protos import market_data_pb2
from dragonfly_views.tokens import hash_token
from driven import driven
from gateway_world import Bot, RunningGateway, running
from grpc import StatusCode
from grpc_gateway.service import GatewayOptions
from msgspec.structs import replace as replace_fields
from papers import TOKEN
from view_world import Aggregator, make_book, replace_file, until

SELL = pb.LiquidateRequest(
    client_id="mine-1",
    instrument="ETH-BTC",
    side=market_data_pb2.SIDE_SELL,
    quantity="1.50",
    limit="0.0520",
    sweep=pb.Sweep(),
)
STATUS = OrderStatus(
    order_id="order-1",
    owner="anyone",
    client_id="mine-1",
    instrument="ETH-BTC",
    side=OrderSide.SELL,
    quantity=Decimal("1.50"),
    limit=Decimal("0.0520"),
    algorithm="sweep",
    state=OrderState.RUNNING,
    reason="",
    filled=Decimal(0),
    leaves=Decimal("1.50"),
    reserved=Decimal("1E-7"),
    average=None,
    fees={"BTC": Decimal("0.00001")},
    unknown=0,
    last_seq=3,
)


def report(seq: int, order_id: str = "order-1") -> Report:
    fill = FillNews("kraken", f"t{seq}", Decimal("0.05"), Decimal(1), Decimal(0), "BTC", None)
    return Report(
        order_id, "anyone", seq, ReportKind.FILL, OrderState.RUNNING, Decimal(seq), Decimal(1),
        Decimal("0.05"), {}, 7, fill=fill,
    )  # fmt: skip


class StubEngine:
    """The engine's end of the channel, without an engine."""

    def __init__(self, address: str) -> None:
        self.commands: list[Command] = []
        self.hellos: list[FrontEndHello] = []
        self.acks: list[ReportAck] = []
        self.deaf_to = 0
        """So many copies of commands are not heard."""
        self.paper = True
        self.reports: list[Report] = []
        self.answer: Callable[[Command], CommandAnswer] = lambda command: CommandAnswer(
            command.id, AnswerCode.ACCEPTED, "kraken 1.5 at 0.05", "order-1", (STATUS,)
        )
        self.channel = ChannelServer(address, SystemClock())

    def turn(self) -> float:
        for peer, payload in self.channel.receive():
            match decode_from_front_end(payload):
                case FrontEndHello() as hello:
                    self.hellos.append(hello)
                    welcome = EngineHello("stub", self.paper, False, ("kraken",))
                    self.channel.send(peer, encode(welcome))
                    for one in self.reports:
                        if one.seq > hello.seqs.get(one.order_id, 0):
                            self.channel.send(peer, encode(one))
                case Command() as command:
                    self.commands.append(command)
                    if len(self.commands) > self.deaf_to:
                        self.channel.send(peer, encode(self.answer(command)))
                case ReportAck() as ack:
                    self.acks.append(ack)
        return 0.1


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[StubEngine]:
    engine = StubEngine(f"ipc://{tmp_path}/engine")
    with closing(engine.channel):
        async with driven(engine, engine.channel):
            yield engine


@pytest.fixture
def trading(options: GatewayOptions, tmp_path: Path) -> GatewayOptions:
    return replace(options, engine=f"ipc://{tmp_path}/engine")


@asynccontextmanager
async def trader(
    trading: GatewayOptions, engine: StubEngine | None, token: str | None = None
) -> AsyncIterator[Bot]:
    """A bot at a gateway that has heard its engine."""
    async with running(trading) as gateway, gateway.bot(token=token) as bot:
        if engine is not None:
            await until_heard(bot)
        yield bot


async def until_heard(bot: Bot) -> None:
    while (await bot.status("GetEngine", b"")) is StatusCode.UNAVAILABLE:
        pass


@pytest.fixture
async def bot(
    trading: GatewayOptions, aggregator: Aggregator, engine: StubEngine
) -> AsyncIterator[Bot]:
    async with trader(trading, engine) as bot:
        yield bot


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_end, "RESEND_INTERVAL_S", 0.02)


async def test_an_order_goes_to_the_engine_in_its_own_words(bot: Bot, engine: StubEngine) -> None:
    told = await bot.get("Liquidate", SELL)
    (command,) = engine.commands
    assert command.owner == "anyone"
    assert command.body == Liquidate(
        "mine-1", "ETH-BTC", OrderSide.SELL, Decimal("1.50"), Sweep(10), Decimal("0.0520")
    )
    assert isinstance(told, pb.Order)
    assert (told.order_id, told.quantity, told.limit, told.reserved) == (
        "order-1",
        "1.5",
        "0.052",
        "0.0000001",
    )
    assert (told.state, told.side) == (pb.ORDER_STATE_RUNNING, market_data_pb2.SIDE_SELL)
    assert not told.HasField("average")
    assert told.fees == {"BTC": "0.00001"}


async def test_a_persons_word_goes_to_the_engine(bot: Bot, engine: StubEngine) -> None:
    word = pb.ResolveRequest(client_id="mine-1", child_id="c1", filled="0.50", reason="looked")
    await bot.get("Resolve", word)
    assert engine.commands[1].body == Resolve("order-1", "c1", Decimal("0.50"), "looked")
    word.reason = ""
    code, sentence = await bot.refusal("Resolve", word)
    assert (code, "no reason" in sentence) == (StatusCode.INVALID_ARGUMENT, True)


async def test_an_order_by_fix_is_looked_at_and_resolved_with_the_token_of_its_comp_id(
    trading: GatewayOptions, aggregator: Aggregator, engine: StubEngine, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.toml"
    entry = (
        f'[bots.alpha]\ntoken_sha256 = "{hash_token(TOKEN)}"\nscopes = ["trade"]\n'
        f'comp_ids = ["DESK", "OTHER", "{"x" * 64}"]\n'
    )
    replace_file(tokens, entry.encode())
    by_fix = replace_fields(STATUS, owner="fix:DESK")

    def answer(command: Command) -> CommandAnswer:
        if command.owner == by_fix.owner:
            return CommandAnswer(command.id, AnswerCode.ACCEPTED, "", "order-1", (by_fix,))
        text = f"'order-1' is no order of {command.owner}"
        return CommandAnswer(command.id, AnswerCode.NOT_FOUND, text)

    engine.answer, engine.reports = answer, [report(1)]
    word = pb.ResolveRequest(order_id="order-1", child_id="c1", filled="0.50", reason="looked")
    async with trader(replace(trading, tokens=tokens), engine, TOKEN) as bot:
        await bot.get("Get", pb.OrderRequest(order_id="order-1"))
        await bot.get("Resolve", word)
        (told,) = [one for one in engine.commands if isinstance(one.body, Resolve)]
        assert told.owner == "fix:DESK"
        assert told.body == Resolve("order-1", "c1", Decimal("0.50"), "looked")
        stream = bot.stream("StreamReports", pb.ReportsRequest(order_id="order-1"))
        assert (await stream.read(pb.Report)).order_id == "order-1"
        assert engine.hellos[-1].owners == ("fix:DESK",)
        code, sentence = await bot.refusal("Cancel", pb.OrderRequest(order_id="order-1"))
        assert (code, "given by FIX" in sentence) == (StatusCode.FAILED_PRECONDITION, True)
        engine.answer = lambda command: replace_fields(answer(command), code=AnswerCode.NOT_FOUND)
        code, sentence = await bot.refusal("Resolve", word)
        assert (code, "no order of alpha" in sentence) == (StatusCode.NOT_FOUND, True)


async def test_the_book_that_an_order_met_and_its_interval_are_told(
    bot: Bot, engine: StubEngine
) -> None:
    top = ArrivalTop("kraken", ((Decimal("0.0500"), Decimal(2)),), Decimal("0.0026"))
    interval = IntervalMid(Decimal("0.051"), seen_ns=3, whole_ns=5)
    status = replace_fields(STATUS, arrival=(top,), interval=interval)
    engine.answer = lambda command: CommandAnswer(
        command.id, AnswerCode.ACCEPTED, "", "order-1", (status,)
    )
    told = await bot.get("Get", pb.OrderRequest(order_id="order-1"))
    assert isinstance(told, pb.Order)
    level = pb.ArrivalLevel(price="0.05", amount="2")
    assert list(told.arrival) == [pb.ArrivalBook(venue="kraken", levels=[level], fee_bps="26")]
    assert told.interval == pb.IntervalMid(mid="0.051", seen_ns=3, whole_ns=5)


@pytest.mark.usefixtures("hasty")
async def test_a_command_without_an_answer_is_sent_again_under_its_id(
    bot: Bot, engine: StubEngine
) -> None:
    engine.deaf_to = 2
    await bot.get("Liquidate", SELL)
    # Its answer may be under way while it is asked once more.
    assert len(engine.commands) >= 3
    assert len({command.id for command in engine.commands}) == 1


@pytest.mark.usefixtures("hasty")
async def test_an_outcome_that_is_not_known_is_said_to_be_unknown(
    bot: Bot, engine: StubEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_end, "PATIENCE_S", 0.3)
    engine.deaf_to = 10**6
    code, sentence = await bot.refusal("Liquidate", SELL)
    assert code is StatusCode.UNKNOWN
    assert "may have been carried out" in sentence


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (AnswerCode.INVALID, StatusCode.INVALID_ARGUMENT),
        (AnswerCode.NOT_FOUND, StatusCode.NOT_FOUND),
        (AnswerCode.ALREADY_EXISTS, StatusCode.ALREADY_EXISTS),
        (AnswerCode.FAILED_PRECONDITION, StatusCode.FAILED_PRECONDITION),
        (AnswerCode.RESOURCE_EXHAUSTED, StatusCode.RESOURCE_EXHAUSTED),
        (AnswerCode.OUT_OF_RANGE, StatusCode.OUT_OF_RANGE),
    ],
)
async def test_the_engines_no_is_the_bots(
    bot: Bot, engine: StubEngine, code: AnswerCode, status: StatusCode
) -> None:
    engine.answer = lambda command: CommandAnswer(command.id, code, "one sentence")
    assert await bot.refusal("Liquidate", SELL) == (status, "one sentence")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"client_id": ""}, "no client_id"),
        ({"client_id": "two words"}, "client_id: give 1 to 64 printable characters"),
        ({"client_id": "x" * 65}, "client_id: give 1 to 64 printable characters"),
        ({"side": 0}, "no side"),
        ({"quantity": ""}, "quantity '' is no amount"),
        ({"quantity": "1e3"}, "quantity '1e3' is no amount"),
        ({"quantity": "-1"}, "quantity '-1' is no amount"),
        ({"limit": "0,5"}, "limit '0,5' is no amount"),
        ({"max_child": "NaN"}, "max_child 'NaN' is no amount"),
        ({"sweep": pb.Sweep(rounds=1001)}, "rounds: Expected `int` <= 1000"),
        ({"twap": pb.Twap(end_ns=9, interval_s=0.5)}, "interval_s: Expected `float` >= 1"),
        ({"twap": pb.Twap(end_ns=-9)}, "end_ns: Expected `int` >= 0"),
    ],
)
async def test_a_bad_order_is_refused_before_the_engine_has_it(
    bot: Bot, engine: StubEngine, changes: dict[str, object], says: str
) -> None:
    request = pb.LiquidateRequest()
    request.CopyFrom(SELL)
    for name, value in changes.items():
        request.ClearField(name)
        request.MergeFrom(pb.LiquidateRequest(**{name: value}))  # type: ignore[arg-type]
    code, sentence = await bot.refusal("Liquidate", request)
    assert code is StatusCode.INVALID_ARGUMENT
    assert says in sentence
    assert not engine.commands


async def test_an_order_without_an_algorithm_and_a_change_of_nothing_are_refused(bot: Bot) -> None:
    request = pb.LiquidateRequest()
    request.CopyFrom(SELL)
    request.ClearField("sweep")
    assert "no algorithm" in (await bot.refusal("Liquidate", request))[1]
    assert "nothing to change" in (await bot.refusal("Replace", pb.ReplaceRequest()))[1]
    both = pb.OrderRequest(order_id="a", client_id="b")
    assert "which order?" in (await bot.refusal("Cancel", both))[1]
    assert "which order?" in (await bot.refusal("Get"))[1]


@pytest.mark.parametrize("method", ["Cancel", "Pause", "Resume", "Get"])
async def test_an_order_is_found_by_the_callers_name_of_it(
    bot: Bot, engine: StubEngine, method: str
) -> None:
    told = await bot.get(method, pb.OrderRequest(client_id="mine-1"))
    assert isinstance(told, pb.Order)
    assert told.order_id == "order-1"


async def test_the_estimate_is_the_engines_plan_and_the_markets_price(
    bot: Bot, engine: StubEngine, aggregator: Aggregator
) -> None:
    aggregator.say(make_book(), kind=ViewKind.LEVELS)
    told = await bot.get("PreTrade", SELL)
    assert isinstance(told, pb.Estimate)
    assert told.first == "kraken 1.5 at 0.05"
    assert told.engine.paper
    assert told.executable.side == market_data_pb2.SIDE_SELL
    assert told.executable.prices[0].size == 1.5
    (command,) = engine.commands
    assert isinstance(command.body, Liquidate)
    assert command.body.dry_run


async def test_reports_go_on_after_those_that_the_bot_has(bot: Bot, engine: StubEngine) -> None:
    engine.reports = [report(1), report(2), report(3), report(1, "other")]
    stream = bot.stream("StreamReports", pb.ReportsRequest(after={"order-1": 1}))
    told = [await stream.read(pb.Report) for _ in range(3)]
    assert [(one.order_id, one.seq) for one in told] == [
        ("order-1", 2),
        ("order-1", 3),
        ("other", 1),
    ]
    assert (told[0].fill.trade_id, told[0].fill.price, told[0].cum) == ("t2", "0.05", "2")
    assert not told[0].HasField("child")
    assert not told[0].fill.HasField("ts_event")
    await until(lambda: len(engine.acks) == 3)
    assert engine.hellos[-1].owners == ("anyone",)


async def test_reports_of_one_order_come_without_the_others(bot: Bot, engine: StubEngine) -> None:
    engine.reports = [report(1, "other"), report(1)]
    stream = bot.stream("StreamReports", pb.ReportsRequest(order_id="order-1"))
    assert (await stream.read(pb.Report)).order_id == "order-1"


async def test_the_kill_switch_is_relayed(bot: Bot, engine: StubEngine) -> None:
    told = await bot.get("Kill", pb.KillRequest(reason="enough"))
    assert isinstance(told, pb.Engine)
    assert told.killed
    told = await bot.get("Revive")
    assert isinstance(told, pb.Engine)
    assert not told.killed


async def test_without_an_engine_nothing_is_asked(
    trading: GatewayOptions, aggregator: Aggregator
) -> None:
    async with trader(trading, None) as bot:
        code, sentence = await bot.refusal("Liquidate", SELL)
        assert (code, "engine is not there" in sentence) == (StatusCode.UNAVAILABLE, True)


async def test_a_gateway_that_takes_no_orders_has_no_such_service(gateway: RunningGateway) -> None:
    async with gateway.bot() as bot:
        assert await bot.status("Liquidate", b"") is StatusCode.UNIMPLEMENTED


async def test_real_orders_need_tokens(
    trading: GatewayOptions, aggregator: Aggregator, engine: StubEngine
) -> None:
    engine.paper = False
    async with trader(trading, engine) as bot:
        code, sentence = await bot.refusal("Liquidate", SELL)
        assert (code, "--tokens" in sentence) == (StatusCode.FAILED_PRECONDITION, True)
        assert not engine.commands


@pytest.mark.parametrize(("scopes", "code"), [('["md"]', "UNAUTHENTICATED"), ('["trade"]', "OK")])
async def test_orders_need_a_token_for_them_and_belong_to_its_bot(
    trading: GatewayOptions,
    aggregator: Aggregator,
    engine: StubEngine,
    tmp_path: Path,
    scopes: str,
    code: str,
) -> None:
    engine.paper = False
    tokens = tmp_path / "tokens.toml"
    entry = f'[bots.alpha]\ntoken_sha256 = "{hash_token(TOKEN)}"\nscopes = {scopes}\n'
    replace_file(tokens, entry.encode())
    async with trader(replace(trading, tokens=tokens), engine, TOKEN) as bot:
        assert (await bot.status("Liquidate", SELL.SerializeToString())).name == code
        assert [command.owner for command in engine.commands] == ["alpha"] * (code == "OK")
