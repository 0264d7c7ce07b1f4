from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from dragonfly_fix.codec import FixMessage, decode_fields
from dragonfly_fix.dictionary import FieldLayout, InvalidMessageError, RejectReason
from dragonfly_fix.fix44 import FIX44, KNOWN_TYPES
from fix_world import SPECIFICATION

AT = "49=A|56=B|34=2|52=20261001-12:00:00.100"
ORDER = "11=c|55=BTC-USD|54=1|60=20261001-12:00:00|40=2|44=1"
BILATERAL = {847}
"""Enumerated by the standard, with values of their own between two parties."""
LATER = {957, 958, 959, 960}
"""Of a later version."""


def message(kind: str, body: str, header: str = AT) -> FixMessage:
    text = f"{header}|{body}" if body else header
    return FixMessage(kind.encode(), decode_fields(text.replace("|", "\x01").encode() + b"\x01"))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("0", ""),
        ("V", "262=m|263=1|264=10|265=0|266=N|267=2|269=0|269=1|146=2|55=A-B|207=KRAKEN|55=C-D"),
        ("W", "55=A-B|262=m|268=0"),
        ("W", "55=A-B|262=m|268=2|269=0|270=1.5|271=2|282=KRAKEN|276=A F|269=1|270=2|271=.5"),
        ("X", "262=m|268=2|279=2|269=0|55=A-B|270=1|279=0|269=1|270=2"),
        ("y", "320=r|322=a|560=0|393=1|893=Y|146=1|55=A-B|207=KRAKEN|562=0.01"),
        ("f", "324=s|55=A-B|207=KRAKEN|325=Y|326=18|60=20261001-12:00:00|58=no connection"),
        ("D", f"{ORDER}|847=1001|848=a=1;b=2|957=1|958=a|959=1|960=1"),
        ("8", "37=p|17=q|150=F|39=1|55=A-B|54=2|151=1|14=1|6=1|136=1|137=8.45|138=USD|139=4"),
        ("5", "354=3|355=a|b|93=1|89=x"),
        ("0", "9001=Y"),
    ],
)
def test_good_messages(kind: str, body: str) -> None:
    FIX44.check(message(kind, body))


@pytest.mark.parametrize(
    ("kind", "body", "reason", "tag"),
    [
        ("0", "999=HI", RejectReason.INVALID_TAG, 999),
        ("0", "-1=HI", RejectReason.INVALID_TAG, -1),
        ("0", "55=A", RejectReason.NOT_FOR_THIS_TYPE, 55),
        ("0", "112=", RejectReason.NO_VALUE, 112),
        ("1", "", RejectReason.REQUIRED_MISSING, 112),
        ("1", "112=a|112=b", RejectReason.REPEATED, 112),
        ("1", "112=a|34=2", RejectReason.ORDER, 34),
        ("2", "7=-1|16=0", RejectReason.FORMAT, 7),
        ("D", f"{ORDER}|59=9", RejectReason.OUT_OF_RANGE, 59),
        ("D", f"{ORDER}|38=+1", RejectReason.FORMAT, 38),
        ("D", f"{ORDER}|18=e T", RejectReason.OUT_OF_RANGE, 18),
        ("D", f"{ORDER}|126=20260231-00:00:00", RejectReason.FORMAT, 126),
        ("W", "55=A|268=2|269=0", RejectReason.GROUP_COUNT, 268),
        ("W", "55=A|268=1|269=0|269=1", RejectReason.GROUP_COUNT, 268),
        ("W", "55=A|268=1", RejectReason.GROUP_COUNT, 268),
        ("W", "55=A|268=1|270=1|269=0", RejectReason.GROUP_ORDER, 270),
        ("W", "55=A|268=1|269=0|270=1|270=1", RejectReason.REPEATED, 270),
        ("W", "55=A|268=1|269=0|278=x", RejectReason.NOT_FOR_THIS_TYPE, 278),
    ],
)
def test_a_message_is_refused_for_its_first_fault(
    kind: str, body: str, reason: RejectReason, tag: int
) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        FIX44.check(message(kind, body))
    assert (caught.value.reason, caught.value.tag) == (reason, tag)


@pytest.mark.parametrize("body", ["9001=Y|112=a", "112=a|9001=Y"])
def test_a_user_defined_tag_is_passed_over_unless_strictly_read(body: str) -> None:
    FIX44.check(message("1", body))
    with pytest.raises(InvalidMessageError) as caught:
        FIX44.check(message("1", body), strict=True)
    assert (caught.value.reason, caught.value.tag) == (RejectReason.INVALID_TAG, 9001)


def test_a_group_goes_on_behind_a_user_defined_tag() -> None:
    FIX44.check(message("W", "55=A|268=2|269=0|9001=x|270=1|269=1"))


def test_header_fields_are_required() -> None:
    with pytest.raises(InvalidMessageError) as caught:
        FIX44.check(message("0", "", header="49=A|34=2|52=20261001-12:00:00"))
    assert (caught.value.reason, caught.value.tag) == (RejectReason.REQUIRED_MISSING, 56)


class Standard:
    """QuickFIX's dictionary of FIX 4.4, read as plainly as can be."""

    def __init__(self) -> None:
        root = ET.parse(SPECIFICATION).getroot()
        self.fields = {field.attrib["name"]: field for field in root.iterfind("fields/field")}
        self.components = {each.attrib["name"]: each for each in root.iterfind("components/*")}
        self.messages = {each.attrib["msgtype"]: each for each in root.iterfind("messages/*")}
        self.header = root.find("header")

    def tag(self, element: ET.Element) -> int:
        return int(self.fields[element.attrib["name"]].attrib["number"])

    def members(self, parent: ET.Element) -> list[ET.Element]:
        found = list[ET.Element]()
        for element in parent:
            if element.tag == "component":
                found += self.members(self.components[element.attrib["name"]])
            else:
                found.append(element)
        return found

    def hold(self, layout: FieldLayout, parent: ET.Element) -> None:
        members = self.members(parent)
        by_tag = {self.tag(element): element for element in members}
        assert layout.members - LATER - {89, 93} <= by_tag.keys(), layout.name
        required = {
            self.tag(element)
            for element in parent
            if element.tag == "field" and element.attrib["required"] == "Y"
        }
        assert required - {8, 9, 35} <= layout.required, layout.name
        if layout.first:
            assert layout.first == self.tag(members[0]), layout.name
        for tag, entry in layout.groups.items():
            if tag not in LATER:
                assert by_tag[tag].tag == "group"
                self.hold(entry, by_tag[tag])


@pytest.mark.needs(SPECIFICATION)
def test_every_definition_is_within_the_standard() -> None:
    standard = Standard()
    numbered = {int(each.attrib["number"]): each for each in standard.fields.values()}
    for tag, field in FIX44.fields.items():
        if tag not in LATER:
            assert field.name == numbered[tag].attrib["name"]
            assert field.type == numbered[tag].attrib["type"]
            values = {value.attrib["enum"].encode() for value in numbered[tag]}
            assert field.values <= values, field.name
            assert field.type == "BOOLEAN" or tag in BILATERAL or bool(field.values) == bool(values)
    assert {kind.encode() for kind in standard.messages} == FIX44.known_types
    assert standard.header is not None
    standard.hold(FIX44.header, standard.header)
    for kind, layout in FIX44.messages.items():
        assert layout.name == standard.messages[kind.decode()].attrib["name"]
        standard.hold(layout, standard.messages[kind.decode()])
    for layout in (FIX44.header, *FIX44.messages.values()):
        assert layout.members <= FIX44.fields.keys()
    assert len(KNOWN_TYPES) == 93
