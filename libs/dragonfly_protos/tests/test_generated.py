from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from dragonfly_protos import market_data_pb2, orderbook_pb2

GENERATE = Path(__file__).parents[3] / "protos" / "generate.py"


def test_descriptors_keep_the_contracts_own_paths() -> None:
    assert orderbook_pb2.DESCRIPTOR.name == "orderbook.proto"
    assert market_data_pb2.DESCRIPTOR.name == "dragonfly/v1/market_data.proto"


@pytest.mark.parametrize("contract", [orderbook_pb2, market_data_pb2])
def test_other_languages_generate_code_from_the_contracts_as_they_stand(
    contract: ModuleType,
) -> None:
    options = contract.DESCRIPTOR.GetOptions()
    assert "/" in options.go_package  # protoc-gen-go refuses a name without one
    assert options.java_package
    assert options.csharp_namespace


def test_first_generation_contract_is_what_existing_clients_were_built_from() -> None:
    service = orderbook_pb2.DESCRIPTOR.services_by_name["OrderbookAggregator"]
    (method,) = service.methods
    assert service.full_name == "orderbook.OrderbookAggregator"
    assert (method.name, method.client_streaming, method.server_streaming) == (
        "BookSummary",
        False,
        True,
    )
    level = orderbook_pb2.Level(exchange="binance", price=1.5, amount=2.5)
    summary = orderbook_pb2.Summary(spread=0.5, bids=[level], asks=[level])
    encoded_level = bytes.fromhex("0a0762696e616e6365 11000000000000f83f 190000000000000440")
    assert level.SerializeToString() == encoded_level
    assert summary.SerializeToString() == (
        bytes.fromhex("09000000000000e03f")
        + b"\x12\x1b"
        + encoded_level
        + b"\x1a\x1b"
        + encoded_level
    )


def test_a_book_reads_as_a_summary() -> None:
    level = market_data_pb2.Level(venue="kraken", price=0.07, amount=3.0)
    book = market_data_pb2.Book(
        spread=0.01, bids=[level], instrument="ETH-BTC", live=True, seq=2**63, replaced=7, ts_out=1
    )
    summary = orderbook_pb2.Summary.FromString(book.SerializeToString())
    assert summary.spread == 0.01
    assert [(bid.exchange, bid.price, bid.amount) for bid in summary.bids] == [("kraken", 0.07, 3)]
    assert not summary.asks


def test_messages_know_where_they_live() -> None:
    book = market_data_pb2.Book(instrument="ETH-BTC")
    assert type(book).__module__ == "dragonfly_protos.market_data_pb2"
    assert pickle.loads(pickle.dumps(book)) == book


def test_checked_in_code_is_current() -> None:
    pytest.importorskip(
        "grpc_tools", reason="the compiler is a tool of the check, not of the users"
    )
    outcome = subprocess.run(
        [sys.executable, GENERATE, "--check"], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
