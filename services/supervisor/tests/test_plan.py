from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from dragonfly_common.equivalence import Equivalences
from supervisor.plan import DeploymentOptions, Facts, plan_services, plan_simulator, plan_web

OPTIONS = DeploymentOptions(
    venues=("binance", "kraken"),
    instruments=("ETH-BTC", "BTC-USD"),
    gateway="127.0.0.1:50051",
    depth=5,
    ws_urls={"kraken": "ws://127.0.0.1:1/kraken"},
    ca_file=Path("ca.pem"),
)

APART = replace(OPTIONS, apart=True)


def words(argv: tuple[str, ...], option: str) -> list[str]:
    return [argv[n + 1] for n, word in enumerate(argv) if word == option]


def test_a_listener_per_venue_an_aggregator_and_a_gateway() -> None:
    processes = plan_services(APART, Path("run"))
    assert [process.name for process in processes] == [
        "listener.binance",
        "listener.kraken",
        "aggregator",
        "gateway",
    ]
    for process in processes:
        assert words(process.argv, "--depth") == ["5"]
        assert words(process.argv, "--instrument") == ["ETH-BTC", "BTC-USD"]
        assert words(process.argv, "--id") == [process.name]


def test_what_is_of_fix_is_told_to_the_listener_of_that_venue() -> None:
    given = {"--protocol": {"binance": "fix"}, "--fix-key": {"binance": "a.pem"}}
    binance, kraken, *_ = plan_services(replace(APART, by_fix=given), Path("run"))
    for option, word in (("--protocol", ["fix"]), ("--fix-key", ["a.pem"]), ("--fix-url", [])):
        assert words(binance.argv, option) == word
        assert words(kraken.argv, option) == []


def test_listeners_are_told_what_an_equivalence_is_made_of() -> None:
    names = Equivalences(["BTC-ANYUSD=BTC-USD+BTC-USDT*USDT-USD"])
    options = replace(APART, instruments=("BTC-ANYUSD", "ETH-USD+ETH-USDC@1"), equivalences=names)
    *listeners, aggregator, gateway = plan_services(options, Path("run"))
    for listener in listeners:
        assert words(listener.argv, "--instrument") == [
            *("BTC-USD", "BTC-USDT", "USDT-USD"),
            *("ETH-USD", "ETH-USDC"),
        ]
    for process in (aggregator, gateway):
        assert words(process.argv, "--instrument") == list(options.instruments)


def test_the_processes_are_joined() -> None:
    binance, kraken, aggregator, gateway = plan_services(APART, Path("run"))
    binds = [words(process.argv, "--bind") for process in (binance, kraken)]
    assert [[upstream] for upstream in words(aggregator.argv, "--upstream")] == binds
    assert words(gateway.argv, "--upstream") == words(aggregator.argv, "--bind")
    assert words(gateway.argv, "--bind") == ["127.0.0.1:50051"]


def test_a_venue_gets_its_own_addresses() -> None:
    binance, kraken, *_ = plan_services(APART, Path("run"))
    assert words(binance.argv, "--ws-url") == []
    assert words(kraken.argv, "--ws-url") == ["ws://127.0.0.1:1/kraken"]
    assert words(kraken.argv, "--ca-file") == ["ca.pem"]


def test_what_dies_comes_back_at_the_address_that_others_know() -> None:
    facts: Facts = {
        "control": "http://127.0.0.1:4711/control",
        "venues": {
            "binance": {"ws": "ws://a", "rest": "http://a", "fix": "fix://127.0.0.1:4713"},
            "kraken": {"ws": "ws://b", "rest": "http://b"},
        },
    }
    simulator = plan_simulator(OPTIONS, Path("keys")).pinned(facts)
    assert words(simulator.argv, "--port") == ["4711"]
    assert words(simulator.argv, "--fix") == ["127.0.0.1:4713"]
    assert words(simulator.argv, "--fix-keys") == ["keys"]
    *_, aggregator, gateway = plan_services(APART, Path("run"))
    assert words(gateway.pinned({"address": "127.0.0.1:4712"}).argv, "--bind") == ["127.0.0.1:4712"]
    assert aggregator.pinned({"address": "ipc://elsewhere"}) == aggregator


def test_a_fix_gateway_is_beside_the_other_where_it_is_asked_for() -> None:
    options = replace(APART, fix="127.0.0.1:9878")
    *_, aggregator, fix_gateway, gateway = plan_services(options, Path("run"))
    assert [fix_gateway.name, gateway.name] == ["fix-gateway", "gateway"]
    assert words(fix_gateway.argv, "--upstream") == words(aggregator.argv, "--bind")
    assert words(fix_gateway.argv, "--bind") == ["127.0.0.1:9878"]
    facts: Facts = {"address": "127.0.0.1:1", "fix": "127.0.0.1:2"}
    assert words(fix_gateway.pinned(facts).argv, "--bind") == ["127.0.0.1:2"]
    (together,) = plan_services(replace(options, apart=False), None)
    pinned = [shlex.split(text) for text in words(together.pinned(facts).argv, "--service")]
    assert [words(tuple(argv), "--bind") for argv in pinned[-2:]] == [
        ["127.0.0.1:2"],
        ["127.0.0.1:1"],
    ]
    sentence = "cannot serve customers on 127.0.0.1:1: Address already in use; choose another"
    assert together.in_words_of_up(f"{sentence} --bind") == f"{sentence} --fix"


def test_an_engine_is_a_process_of_its_own_that_the_gateway_knows() -> None:
    options = replace(APART, engine=Path("a/journal"), more={"engine": ["--fees", "*=5"]})
    *_, engine, aggregator, gateway = plan_services(options, Path("run"))
    assert [engine.name, aggregator.name, gateway.name] == ["engine", "aggregator", "gateway"]
    assert words(engine.argv, "--upstream") == words(aggregator.argv, "--bind")
    assert words(engine.argv, "--journal") == ["a/journal"]
    assert words(engine.argv, "--fees") == ["*=5"]
    assert words(gateway.argv, "--engine") == words(engine.argv, "--bind")
    assert not any("--engine" in one.argv for one in plan_services(APART, Path("run")))
    *_, fix_gateway, _ = plan_services(replace(options, fix="127.0.0.1:9878"), Path("run"))
    assert words(fix_gateway.argv, "--engine") == words(engine.argv, "--bind")
    assert words(fix_gateway.argv, "--order-store") == ["a/journal.fix-orders"]


def test_the_page_is_a_bot_of_the_gateway_in_a_process_of_its_own() -> None:
    options = replace(OPTIONS, more={"web": ("--tokens", "t")})
    web = plan_web(options, "127.0.0.1:0", "0.0.0.0:4711")
    assert words(web.argv, "--gateway") == ["127.0.0.1:4711"]
    assert words(web.argv, "--tokens") == ["t"]
    pinned = web.pinned({"web": "http://127.0.0.1:4712/"})
    assert words(pinned.argv, "--bind") == ["127.0.0.1:4712"]
    assert web.in_words_of_up("choose another --bind") == "choose another --web"


def test_what_is_followed_is_not_named_to_the_simulator() -> None:
    # It would list whatever a person mistyped, and the mistake would go LIVE.
    assert "--instrument" not in plan_simulator(OPTIONS, None).argv


def test_all_services_share_a_process() -> None:
    apart = plan_services(APART, Path("run"))
    (together,) = plan_services(replace(OPTIONS, status="127.0.0.1:9100"), Path("run"))
    services = words(together.argv, "--service")
    assert len(services) == len(apart)
    for text, process in zip(services, apart, strict=True):
        joined = text.replace("inproc://", "ipc://run/")
        assert shlex.split(joined) == [*process.argv]

    pinned = together.pinned({"address": "127.0.0.1:4712"})
    assert words(pinned.argv, "--status") == ["127.0.0.1:9100"]
    assert words(pinned.argv, "--id") == ["services"]
    *others, gateway = words(pinned.argv, "--service")
    assert others == services[:-1]
    assert words(tuple(shlex.split(gateway)), "--bind") == ["127.0.0.1:4712"]
