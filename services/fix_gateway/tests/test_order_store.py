"""What is kept of orders, over the end of the day and of the process."""

from __future__ import annotations

from pathlib import Path

import pytest
from dragonfly_common.errors import ConfigError
from dragonfly_fix.codec import decode_fields, encode_fields
from fix_gateway.order_store import OrderStore

OURS = b"DRAGONFLY-OE"
NEWS = (b"8", encode_fields([(37, b"p1"), (58, b"one")]))


def test_who_is_away_at_the_end_of_the_day_gets_what_was_missed_after_it(tmp_path: Path) -> None:
    store = OrderStore(tmp_path / "orders", OURS)
    store.begin_day("20261129", 0)
    session = store.session("ME")
    session.save(1, b"read by the customer long ago")
    store.keep("ME", NEWS, 0)
    store.begin_day("20261130", 0)
    [(number, frame)] = session.frames(1, 9)
    fields = dict(decode_fields(frame)[2:])
    assert (number, session.next_out, session.next_in) == (1, 2, 1)
    assert (fields[34], fields[97], fields[58], fields[56]) == (b"1", b"Y", b"one", b"ME")
    store.is_back("ME")
    store.begin_day("20261201", 0)
    assert [*session.frames(1, 9)] == []


def test_a_second_gateway_is_kept_from_the_file(tmp_path: Path) -> None:
    first = OrderStore(tmp_path / "orders", OURS)
    with pytest.raises(ConfigError, match="give each gateway a file of its own"):
        OrderStore(tmp_path / "orders", OURS)
    name = first.name
    first.close()
    assert OrderStore(tmp_path / "orders", OURS).name == name
