"""docs/fix.md is held against the dictionary; `customer_world` holds what we send against it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from dragonfly_fix.codec import FixMessage, decode_fields
from dragonfly_fix.dictionary import FieldLayout
from dragonfly_fix.fix44 import FIX44
from fix_gateway.market_data import venue_name
from fix_page import PAGE, SECTIONS
from venue_simulator.venues import VENUES

HEADER = [(49, b"A"), (56, b"B"), (34, b"2"), (52, b"20261001-12:00:00.000")]
ROW = re.compile(r"^\| →?(\d+(?:, \d+)*) \| ([A-Z]\w+(?:, [A-Z]\w+)*) \|", re.MULTILINE)
NAMED = re.compile(r"\b([A-Z][A-Za-z]+) \((\w{1,3})\)")
MESSAGE_NAMES = {layout.name: kind.decode() for kind, layout in FIX44.messages.items()}


def tags_of(layout: FieldLayout) -> Iterator[int]:
    yield from layout.members
    for entry in layout.groups.values():
        yield from tags_of(entry)


def test_tags_and_messages_have_their_names() -> None:
    rows = [
        (int(tag), name)
        for tags, names in ROW.findall(PAGE)
        for tag, name in zip(tags.split(", "), names.split(", "), strict=True)
    ]
    assert len(rows) > 20
    for tag, name in rows:
        assert FIX44.fields[tag].name == name
    field_names = {field.name: tag for tag, field in FIX44.fields.items()}
    known = [(name, given) for name, given in NAMED.findall(PAGE) if not name.isupper()]
    assert len(known) > 20
    for name, given in known:
        if name in MESSAGE_NAMES:
            assert MESSAGE_NAMES[name] == given
        elif name in field_names:
            assert field_names[name] == int(given)


@pytest.mark.parametrize("kind", SECTIONS)
def test_a_message_may_have_what_its_table_says(kind: str) -> None:
    shared = {"e": b"f", "x": b"y"}.get(kind, kind.encode())
    may = {*tags_of(FIX44.messages[kind.encode()]), *tags_of(FIX44.messages[shared])}
    told = {int(tag) for tags, _ in ROW.findall(SECTIONS[kind]) for tag in tags.split(", ")}
    assert told <= may


def test_examples_are_as_the_dictionary_has_them() -> None:
    examples = [
        line
        for block in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
        for line in block.replace("|\n  ", "|").splitlines()
    ]
    whole = [line for line in examples if "|…|" not in line]
    assert len(whole) >= 5
    for line in whole:
        text = line.replace("60=…", "60=20261001-12:00:00").replace("=…", "=1")
        fields = decode_fields(
            text.replace(" ", "").rstrip("|").replace("|", "\x01").encode() + b"\x01"
        )
        body = [field for field in fields if field[0] not in {8, 9, 10, 34, 35, 49, 52, 56}]
        FIX44.check(FixMessage(dict(fields)[35], [*HEADER, *body]), strict=True)


def test_names_of_venues_are_as_the_page_says() -> None:
    assert "1 to 32 characters of `A-Z`, `0-9` and `_`" in PAGE
    for name in VENUES:
        assert re.fullmatch(rb"[A-Z0-9_]{1,32}", venue_name(name))
