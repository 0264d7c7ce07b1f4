"""A bot as a program: it opens a stream, says so, and reads until it is killed or frozen."""

from __future__ import annotations

import sys

import grpc
from dragonfly_protos import market_data_pb2 as pb


def main(address: str) -> None:
    channel = grpc.insecure_channel(address)
    request = pb.BookRequest(instrument="ETH-BTC").SerializeToString()
    for _ in channel.unary_stream("/dragonfly.v1.MarketData/StreamBook")(request):
        sys.stdout.write("reading\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
