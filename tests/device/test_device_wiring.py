"""The 40-pin header as each board uses it, and the drawings that a technician wires from."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.board import load_board
from device.header import GROUNDS, PLACE_OF, PLACES, claimed
from device.wiring import CIRCUITS, wires

ROOT = Path(__file__).parents[2]
WIRED = ["bodycam-zero2w", "dashcam-cm4", "dashcam-pi5"]
CHARACTER = 6.6
"""Pixels of a letter in the mean: names are bold and larger, the rest is smaller."""


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import drawn_wiring

    yield drawn_wiring
    for name in ("drawn_wiring", "drawn_circuits"):
        sys.modules.pop(name, None)


def test_the_header_is_the_one_on_every_board() -> None:
    assert list(PLACES) == list(range(1, 41))
    assert sorted(PLACE_OF) == list(range(28))
    assert GROUNDS == (6, 9, 14, 20, 25, 30, 34, 39)
    known = {2: 3, 4: 7, 14: 8, 15: 10, 17: 11, 18: 12, 27: 13, 10: 19, 9: 21, 11: 23, 5: 29, 12: 32, 26: 37, 21: 40}
    assert {pin: PLACE_OF[pin] for pin in known} == known


@pytest.mark.parametrize("board", WIRED)
def test_each_place_has_one_wire_and_none_is_claimed_by_something_else(board: str) -> None:
    every = wires(load_board(board))
    places = [one.place for one in every]
    assert len(places) == len(set(places))
    taken = claimed(load_board(board))
    assert [one.pin for one in every if one.pin in taken and one.direction != "bus"] == []
    assert {one.circuit for one in every} <= CIRCUITS.keys()


@pytest.mark.parametrize("board", WIRED)
def test_each_line_and_lamp_has_a_ground_and_no_ground_pin_has_too_many(board: str) -> None:
    every = wires(load_board(board))
    grounds = [one.ground for one in every if one.direction != "bus"]
    assert all(one in GROUNDS for one in grounds)
    assert max(grounds.count(one) for one in GROUNDS) <= 4


@pytest.mark.parametrize("board", ["dashcam-cm4", "dashcam-pi5"])
def test_no_line_of_a_vehicle_goes_to_a_pin_without_an_optocoupler(board: str) -> None:
    of_the_vehicle = {"light_bar", "siren", "pursuit", "gun_rack", "door", "brake", "ignition"}
    circuits = {one.function: one.circuit for one in wires(load_board(board))}
    assert {circuits[one] for one in of_the_vehicle} == {"optocoupler"}


@pytest.mark.parametrize("board", WIRED)
def test_motor_and_sounder_have_a_transistor_and_are_quiet_while_the_board_starts(board: str) -> None:
    outputs = [one for one in wires(load_board(board)) if one.direction == "out"]
    assert {one.function for one in outputs if one.circuit != "lamp"} <= {"haptic", "tone"}
    assert [one.function for one in outputs if one.starts_high] == []


@pytest.mark.parametrize("board", WIRED)
def test_a_drawing_names_every_wire_and_nothing_is_cut_off(board: str, drawn: Any) -> None:
    root = ElementTree.fromstring(drawn.header_svg(load_board(board)))
    texts = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    for one in wires(load_board(board)):
        assert any(one.to in text and f"BCM {one.pin} " in text for text in texts), one
    assert sum(text.isdigit() for text in texts) == 40
    for element in root.iter("{http://www.w3.org/2000/svg}text"):
        at, words = float(element.attrib["x"]), "".join(element.itertext())
        room = at if element.attrib.get("text-anchor") == "end" else drawn.WIDTH - at
        assert len(words) * CHARACTER <= room, f"{words!r} does not fit"


@pytest.mark.parametrize("board", WIRED)
def test_a_page_links_circuits_that_are_drawn(board: str, drawn: Any) -> None:
    page = (ROOT / "docs" / "wiring" / f"{board}.md").read_text("utf-8")
    named = set(re.findall(r"circuits\.md#(\w+)", page))
    assert named
    circuits = (ROOT / "docs" / "wiring" / "circuits.md").read_text("utf-8")
    assert all(f'<a id="{one}"></a>' in circuits for one in named)
    for name, text in drawn.drawn_circuits.drawings().items():
        assert f"circuit-{name}.svg" in circuits
        assert ElementTree.fromstring(text).tag.endswith("svg")
