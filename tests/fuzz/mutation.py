"""Turns good inputs into hostile ones: by bytes, or by what a tree of JSON or msgpack holds.

Everything follows from the `Random` that is handed in: the same seed makes the same inputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import Enum
from random import Random
from typing import Any, Final

import msgspec

__all__ = ["LARGEST", "Form", "mutate"]

LARGEST: Final = 1 << 16
"""Bytes of an input; what is larger is cut."""

_PIECES: Final = [
    *(bytes([byte]) for byte in b'"\\{}[],:-.=0\n\x00\x7f\xff \t#'),
    *(b"e9", b"nan", b"null", b"1" * 40, b"9" * 5000, b"[" * 3000, b"]],", b'\\ud800"', b"-1"),
    *("\u0130ß\U0001f409\u202e".encode(), b"\xed\xa0\x80", b"\x1b[31m", b"1e400", b"ETH-BTC"),
]
_INTS: Final = (0, 1, -1, 2**31, 2**32 - 1, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63))
_FLOATS: Final = (0.0, -0.0, 5e-324, 1e-9, 1.7976931348623157e308, -1.5, 1e16 + 2)
_UNNUMBERS: Final = (float("nan"), float("inf"), -float("inf"))
_TEXTS: Final = (
    *("", ".", "-", "A-B", "ETH-BTC", "\x00", "\x1b[31m", "a\nb", "ß-\u0130", "x" * 70),
    *("9" * 5000, "b." * 20_000, "nan", "1e400", "-1", "kraken", "\u202e", "hb.", "share."),
)


class Form(Enum):
    """What an input is made of."""

    BYTES = "bytes"
    JSON = "json"
    MSGPACK = "msgpack"


_json = msgspec.json.Encoder(decimal_format="number")
_Load = Callable[[bytes], Any]
_Dump = Callable[[Any], bytes]
# Numbers of JSON stay as they are written: checksums are made of their text.
_TREES: Final[dict[Form, tuple[_Load, _Dump]]] = {
    Form.JSON: (lambda data: json.loads(data, parse_float=Decimal), _json.encode),
    Form.MSGPACK: (msgspec.msgpack.decode, msgspec.msgpack.encode),
}
_FAILURES: Final = (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError)


def mutate(chance: Random, form: Form, corpus: Sequence[bytes]) -> bytes:
    """Return one of `corpus`, changed in one to four places."""
    data = chance.choice(corpus)
    if form is not Form.BYTES and chance.random() < 0.8:
        load, dump = _TREES[form]
        try:
            tree, other = load(data), load(chance.choice(corpus))
            for _ in range(chance.randint(1, 4)):
                tree = _graft(chance, tree, other, form)
            return dump(tree)[:LARGEST]
        except _FAILURES:
            pass  # it was no tree any more
    for _ in range(chance.randint(1, 4)):
        data = _damage(chance, data, corpus)
    return data[:LARGEST]


def _damage(chance: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    at = chance.randint(0, len(data))
    end = min(len(data), at + chance.randint(1, 40))
    match chance.randrange(8):
        case 0:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case 1:
            return data[:at] + data[end:]
        case 2:
            return data[:at] + chance.choice(_PIECES) + data[at:]
        case 3:
            return data[:end] + data[at:]
        case 4:
            return data[:at]
        case 5:
            return data[:at] + b"%d" % chance.randrange(10) + data[at + 1 :]
        case 6 if data:
            flipped = data[at % len(data)] ^ 1 << chance.randrange(8)
            return data[: at % len(data)] + bytes([flipped]) + data[at % len(data) + 1 :]
        case _:
            other = chance.choice(corpus)
            return data[:at] + other[chance.randint(0, len(other)) :]


def _graft(chance: Random, node: Any, other: Any, form: Form) -> Any:
    """Return `node` with one place in it changed."""
    if isinstance(node, dict) and node and chance.random() < 0.85:
        key = chance.choice(list(node))
        if chance.random() < 0.1:
            return {name: value for name, value in node.items() if name != key}
        if chance.random() < 0.1:
            return {_leaf(chance, name, form) if name == key else name: node[name] for name in node}
        return node | {key: _graft(chance, node[key], _pick(chance, other), form)}
    if isinstance(node, list) and node and chance.random() < 0.85:
        at = chance.randrange(len(node))
        match chance.randrange(10):
            case 0:
                return node[:at] + node[at + 1 :]
            case 1:
                return node[: at + 1] * chance.choice((1, 1, 30)) + node[at:]
            case 2:
                return chance.sample(node, len(node))
            case _:
                return [
                    *node[:at],
                    _graft(chance, node[at], _pick(chance, other), form),
                    *node[at + 1 :],
                ]
    return _leaf(chance, node, form)


def _pick(chance: Random, other: Any) -> Any:
    children = (
        list(other.values())
        if isinstance(other, dict)
        else other
        if isinstance(other, list)
        else []
    )
    return chance.choice(children) if children else other


def _leaf(chance: Random, node: Any, form: Form) -> Any:
    """Return something else: mostly of the same kind."""
    if chance.random() < 0.2:
        deep: Any = []
        for _ in range(chance.choice((1, 50, 600))):
            deep = [deep]
        return chance.choice((None, True, False, 0, "", [], {}, deep, *_INTS, *_TEXTS))
    if isinstance(node, bool):
        return not node
    if isinstance(node, int):
        return chance.choice((*_INTS, node + 1, node - 1, -node, node * 2, node + 100_000))
    if isinstance(node, float | Decimal):
        unnumbers = _UNNUMBERS if form is Form.MSGPACK else ()
        near = (node * 2, -node, node / 3) if isinstance(node, float) else (-node, node * 10)
        return chance.choice((*_FLOATS, *unnumbers, *near))
    if isinstance(node, bytes):
        return _damage(chance, node, [node])
    if isinstance(node, str):
        cut = chance.randint(0, len(node))
        return chance.choice((*_TEXTS, node[:cut], node + node[cut:], node.upper(), node.lower()))
    return chance.choice((None, 0, "", 1.5, [], {}))
