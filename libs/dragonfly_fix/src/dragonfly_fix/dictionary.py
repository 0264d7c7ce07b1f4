"""A dictionary of messages: which fields each has, in which groups, of which types. Pure.

It is written as a specification lists them, one line a message:

    W MarketDataSnapshotFullRefresh: 262 55! instrument 268!(269! 270 271)

`!` marks what is required, brackets the entries of a repeating group behind the field that counts
them (the first field of an entry begins it), and a word a component that is written once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from dragonfly_fix.codec import USER_DEFINED, Field, FixMessage
from dragonfly_fix.timestamps import parse_timestamp

__all__ = [
    "Dictionary",
    "FieldDefinition",
    "FieldLayout",
    "InvalidMessageError",
    "RejectReason",
]


class RejectReason(IntEnum):
    """SessionRejectReason (373)."""

    INVALID_TAG = 0
    REQUIRED_MISSING = 1
    NOT_FOR_THIS_TYPE = 2
    NO_VALUE = 4
    OUT_OF_RANGE = 5
    FORMAT = 6
    COMP_ID = 9
    SENDING_TIME = 10
    MSG_TYPE = 11
    REPEATED = 13
    ORDER = 14
    GROUP_ORDER = 15
    GROUP_COUNT = 16
    OTHER = 99

    @property
    def text(self) -> str:
        """A sentence for Text (58), as most engines word it."""
        return _TEXTS[self]


_TEXTS: Final = {
    RejectReason.INVALID_TAG: "Invalid tag number",
    RejectReason.REQUIRED_MISSING: "Required tag missing",
    RejectReason.NOT_FOR_THIS_TYPE: "Tag not defined for this message type",
    RejectReason.NO_VALUE: "Tag specified without a value",
    RejectReason.OUT_OF_RANGE: "Value is incorrect (out of range) for this tag",
    RejectReason.FORMAT: "Incorrect data format for value",
    RejectReason.COMP_ID: "CompID problem",
    RejectReason.SENDING_TIME: "SendingTime accuracy problem",
    RejectReason.MSG_TYPE: "Invalid MsgType",
    RejectReason.REPEATED: "Tag appears more than once",
    RejectReason.ORDER: "Tag specified out of required order",
    RejectReason.GROUP_ORDER: "Repeating group fields out of order",
    RejectReason.GROUP_COUNT: "Incorrect NumInGroup count for repeating group",
    RejectReason.OTHER: "Message not expected now",
}


class InvalidMessageError(ValueError):
    """A message breaks the dictionary, or a rule of the session; carries what a Reject says."""

    def __init__(self, reason: RejectReason, tag: int | None = None) -> None:
        """`tag` is RefTagID (371); None where the reason names the field, or there is none."""
        super().__init__(reason.text if tag is None else f"{reason.text}: {tag}")
        self.reason = reason
        self.tag = tag


class FieldDefinition(NamedTuple):
    """A field's name, type and, where only some are defined, its values."""

    name: str
    type: str
    values: frozenset[bytes]


class FieldLayout(NamedTuple):
    """The fields of a message, or of one entry of a group."""

    name: str
    first: int
    members: frozenset[int]
    required: frozenset[int]
    groups: Mapping[int, FieldLayout]
    """The entries behind each field that counts some."""


_Parse = Callable[[bytes], object]


def _pattern(text: bytes) -> _Parse:
    return re.compile(text, re.DOTALL).fullmatch


def _timestamp(value: bytes) -> bool:
    try:
        parse_timestamp(value)
    except ValueError:
        return False
    return True


_DATE: Final = rb"[0-9]{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_TIME: Final = rb"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]{3,9})?"
_natural: Final = _pattern(rb"[0-9]{1,18}")
_decimal: Final = _pattern(rb"-?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})")
_text: Final = _pattern(rb".+")
_TYPES: Final[Mapping[str, _Parse]] = {
    "AMT": _decimal,
    "BOOLEAN": _pattern(rb"[YN]"),
    "CHAR": _pattern(rb"."),
    "CURRENCY": _text,
    "DATA": _text,
    "EXCHANGE": _text,
    "FLOAT": _decimal,
    "INT": _pattern(rb"-?[0-9]{1,18}"),
    "LENGTH": _natural,
    "LOCALMKTDATE": _pattern(_DATE),
    "MULTIPLEVALUESTRING": _text,
    "NUMINGROUP": _natural,
    "PERCENTAGE": _decimal,
    "PRICE": _decimal,
    "QTY": _decimal,
    "SEQNUM": _natural,
    "STRING": _text,
    "UTCDATEONLY": _pattern(_DATE),
    "UTCTIMEONLY": _pattern(_TIME),
    "UTCTIMESTAMP": _timestamp,
}


class Dictionary:
    """The messages of one dialect. Both what comes and what is sent can be held against it."""

    def __init__(
        self,
        *,
        fields: str,
        components: Mapping[str, str],
        header: str,
        trailer: str,
        messages: str,
        known_types: Iterable[str],
    ) -> None:
        """Read a dialect.

        Args:
            fields: a line for each: tag, name, type, and the values or ranges of them (`1-4`).
            components: the fields of each word that `header` and `messages` use.
            header: the fields that come first in every message.
            trailer: the fields that may come last in every message.
            messages: a line for each.
            known_types: every MsgType (35) that the protocol defines, spoken here or not.
        """
        self.fields = dict(map(_field, _lines(fields)))
        self.header = _Reader(components).layout("header", header)
        self.messages = {
            kind.encode(): _Reader(components).layout(name, f"{words} {trailer}")
            for kind, name, words in map(_message, _lines(messages))
        }
        self.known_types = frozenset(kind.encode() for kind in known_types)

    def check(self, message: FixMessage, *, strict: bool = False) -> None:
        """Hold a message of one of `messages` against its definition.

        `strict` refuses a user-defined tag that is not in `fields`; otherwise it is passed over.

        Raises:
            InvalidMessageError: it does not match; carries the reason and the tag.
        """
        fields, header = message.fields, self.header.members
        body_at = 0
        for body_at, (tag, _) in enumerate(fields):  # noqa: B007 -- it is where the loop ends
            if tag not in header:
                break
        else:
            body_at = len(fields)
        for tag, _ in fields[body_at:]:
            if tag in header:
                raise InvalidMessageError(RejectReason.ORDER, tag)
        self._check_entry(fields[:body_at], 0, self.header, strict=strict)
        self._check_entry(fields[body_at:], 0, self.messages[message.type], strict=strict)

    def _check_entry(
        self, fields: Sequence[Field], at: int, layout: FieldLayout, *, strict: bool
    ) -> int:
        """Check one message or entry that begins at `at`; return where it ends."""
        seen: set[int] = set()
        while at < len(fields):
            tag, value = fields[at]
            if tag not in layout.members:
                if layout.first and tag in self.fields:
                    break
                if strict or tag < USER_DEFINED or tag in self.fields:
                    known = tag in self.fields
                    reason = RejectReason.NOT_FOR_THIS_TYPE if known else RejectReason.INVALID_TAG
                    raise InvalidMessageError(reason, tag)
                at += 1
                continue
            if tag in seen:
                if tag == layout.first:
                    break
                raise InvalidMessageError(RejectReason.REPEATED, tag)
            seen.add(tag)
            self._check_value(tag, value)
            at += 1
            if tag in layout.groups:
                at = self._check_group(fields, at, layout.groups[tag], int(value), strict=strict)
        if missing := layout.required - seen:
            raise InvalidMessageError(RejectReason.REQUIRED_MISSING, min(missing))
        return at

    def _check_group(
        self, fields: Sequence[Field], at: int, entry: FieldLayout, count: int, *, strict: bool
    ) -> int:
        counted_by = fields[at - 1][0]
        found = 0
        while at < len(fields) and fields[at][0] == entry.first:
            at = self._check_entry(fields, at, entry, strict=strict)
            found += 1
        if count and not found and at < len(fields) and fields[at][0] in entry.members:
            raise InvalidMessageError(RejectReason.GROUP_ORDER, fields[at][0])
        if found != count:
            raise InvalidMessageError(RejectReason.GROUP_COUNT, counted_by)
        return at

    def _check_value(self, tag: int, value: bytes) -> None:
        definition = self.fields[tag]
        if not value:
            raise InvalidMessageError(RejectReason.NO_VALUE, tag)
        if not _TYPES[definition.type](value):
            raise InvalidMessageError(RejectReason.FORMAT, tag)
        if definition.values:
            several = definition.type == "MULTIPLEVALUESTRING"
            if not definition.values.issuperset(value.split(b" ") if several else (value,)):
                raise InvalidMessageError(RejectReason.OUT_OF_RANGE, tag)


def _lines(text: str) -> Iterator[str]:
    return filter(None, map(str.strip, text.splitlines()))


def _field(line: str) -> tuple[int, FieldDefinition]:
    tag, name, kind, *values = line.split()
    assert kind in _TYPES, line
    return int(tag), FieldDefinition(
        name, kind, frozenset(value.encode() for text in values for value in _range(text))
    )


_RANGE: Final = re.compile(r"[0-9]+-[0-9]+|[A-Za-z]-[A-Za-z]")


def _range(text: str) -> Iterable[str]:
    if not _RANGE.fullmatch(text):
        return (text,)
    first, _, last = text.partition("-")
    if first.isdecimal():
        return map(str, range(int(first), int(last) + 1))
    return map(chr, range(ord(first), ord(last) + 1))


def _message(line: str) -> tuple[str, str, str]:
    heading, _, words = line.partition(":")
    kind, name = heading.split()
    return kind, name, words


_WORD: Final = re.compile(r"[0-9]+!?\(?|[a-z_]+|\)")


class _Reader:
    """Reads the fields of one message."""

    def __init__(self, components: Mapping[str, str]) -> None:
        self._components = components

    def layout(self, name: str, text: str) -> FieldLayout:
        return self._entry(name, self._words(text), in_group=False)

    def _words(self, text: str) -> Iterator[str]:
        for word in _WORD.findall(text):
            if word.isalpha() or "_" in word:
                yield from self._words(self._components[word])
            else:
                yield word

    def _entry(self, name: str, words: Iterator[str], *, in_group: bool) -> FieldLayout:
        members: list[int] = []
        required: set[int] = set()
        groups: dict[int, FieldLayout] = {}
        for word in words:
            if word == ")":
                break
            tag = int(word.rstrip("!("))
            members.append(tag)
            if "!" in word:
                required.add(tag)
            if word.endswith("("):
                groups[tag] = self._entry(name, words, in_group=True)
        first = members[0] if in_group else 0
        return FieldLayout(name, first, frozenset(members), frozenset(required), groups)
