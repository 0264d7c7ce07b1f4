"""Binance's own client of FIX (binance-fix-connector), as a process: run by a Python that has it.

    python binance_connector.py ENDPOINT PRIVATE_KEY API_KEY SYMBOL COUNT

Follows the depth of SYMBOL. Of each message it prints the fields, as one JSON array a line, and
ends after COUNT changes.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from binance_fix_connector.fix_connector import create_market_data_session
from binance_fix_connector.utils import get_private_key

WAIT_S = 120


def main(endpoint: str, private_key: str, api_key: str, symbol: str, count: str) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    key = get_private_key(private_key)
    session = create_market_data_session(Path(api_key).read_text(), key, endpoint=endpoint)
    show(session.retrieve_messages_until("A", timeout_seconds=WAIT_S))
    asked = session.create_fix_message_with_basic_header("V")
    for tag, value in (
        *((262, "DEPTH"), (263, 1), (264, 5000), (266, "Y"), (146, 1), (55, symbol)),
        *((267, 2), (269, 0), (269, 1)),
    ):
        asked.append_pair(tag, value)
    session.send_message(asked)
    changes = 0
    while changes < int(count):
        heard = session.retrieve_messages_until(["W", "X"], timeout_seconds=WAIT_S)
        changes += sum(message.get(35) == b"X" for message in heard)
        show(heard)
    session.logout()
    show(session.retrieve_messages_until("5", timeout_seconds=WAIT_S))
    session.disconnect()


def show(messages: list[Any]) -> None:
    for message in messages:
        fields = [[int(tag), value.decode()] for tag, value in message.pairs]
        print(json.dumps(fields), flush=True)  # noqa: T201 - it is what it is for


if __name__ == "__main__":
    main(*sys.argv[1:])
