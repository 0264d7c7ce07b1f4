"""What the examples' command lines say of the gateway; `client_options` makes it the client's."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dragonfly_client import Tls
from dragonfly_client.sync import Options


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gateway", default="127.0.0.1:50051")
    parser.add_argument("--ca-file", help="the authority that signed the gateway's certificate")
    parser.add_argument("--cert-file", help="the bot's certificate")
    parser.add_argument("--key-file", help="the key of that certificate")
    parser.add_argument(
        "--token-file", help="where the bot's token is; default: in DRAGONFLY_TOKEN, if anywhere"
    )


def client_options(given: argparse.Namespace) -> Options:
    """Return TLS and token: never from the command line, which all may read who list processes."""
    tls = None
    if given.ca_file or given.cert_file or given.key_file:
        tls = Tls(ca_file=given.ca_file, cert_file=given.cert_file, key_file=given.key_file)
    token = os.environ.get("DRAGONFLY_TOKEN")
    if given.token_file:
        token = Path(given.token_file).read_text(encoding="utf-8").strip()
    return {"tls": tls, "token": token}
