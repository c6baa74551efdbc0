"""What leaves the camera of notices and queue items: names of this project, and nothing that a person wrote (R1)."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dock.agent.queue_news import news
from dock.mqtt.messages import NoticeData, QueueItem, notice_data, queue_data, queue_items
from evidence.handover import Notice
from evidence.notices import NOTICES

ROOT = Path(__file__).resolve().parents[2]


def said(event: str, word: str | None = None, recording: str | None = None, number: int | None = None) -> Any:
    return notice_data(Notice(event=event, mono_ns=5, word=word, recording=recording, number=number))


@pytest.mark.requirement("R11", "R29", "R36", "R9", "R30")
@pytest.mark.parametrize(
    ("event", "word"),
    [
        ("malfunction", "lens"),
        ("failure_began", "encoder_stalled"),
        ("failure_ended", "encoder_stalled"),
        ("queue", "malfunction"),
        ("usage", "docked"),
        ("override", "microphone"),
        ("out_of_service", "picture,battery"),
        ("backlog", "old"),
        ("alarm", "storage_full"),
    ],
)
def test_what_a_supervisor_must_see_is_sent_with_its_public_word(event: str, word: str) -> None:
    data = said(event, word, "SIM-0001-000007", 3)
    assert data == {"mono_ns": 5, "word": word, "recording": "SIM-0001-000007", "number": 3, "attention": True}
    assert msgspec.convert(data, NoticeData).word == word


@pytest.mark.requirement("R1")
@pytest.mark.parametrize(
    "word",
    ["Mary Smith", "41.30830,-72.92790", "badge 4711", "lens; she said it fell", "x" * 49, "a," * 40, "", "é", "a\n"],
)
def test_a_word_that_is_none_does_not_leave_the_camera(word: str) -> None:
    assert said("malfunction", word)["word"] is None


@pytest.mark.requirement("R1")
def test_a_notice_that_nobody_listed_leaves_by_its_name_alone_and_names_no_file_but_a_recording() -> None:
    assert said("brand_new", "smith", "SIM-0001-000007") == {
        "mono_ns": 5, "word": None, "recording": "SIM-0001-000007", "number": None, "attention": False,
    }  # fmt: skip
    assert said("recovered", None, "../../etc/passwd")["recording"] is None
    assert said("state", "ready", number=-1)["number"] is None


@pytest.mark.requirement("R23")
def test_fragments_and_announcements_are_no_telemetry() -> None:
    assert said("fragment", None, "SIM-0001-000007", 30) is None
    assert said("peer_start", "MIIB") is None


def published(source: str) -> set[str]:
    """Names of the notices that a file of the recorder publishes."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        arguments = list(node.args)
        if ast.unparse(node.func).endswith("on_loop") and arguments:
            arguments = arguments[1:] if ast.unparse(arguments[0]).endswith(".publish") else []
        elif not ast.unparse(node.func).endswith(".publish"):
            continue
        first = arguments[0] if arguments else None
        choices = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
        found |= {one.value for one in choices if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found


def test_every_notice_of_the_recorder_has_its_place_in_the_table() -> None:
    unknown = {
        f"{path.name}: {name}"
        for path in (ROOT / "device").glob("*.py")
        for name in published(path.read_text("utf-8")) - set(NOTICES)
    }
    assert not unknown, "say in evidence/notices.py what it means, and whether a supervisor should see it"


ITEM = {
    "id": 4, "cause": "malfunction", "component": "lens", "boot": "b", "noticed": "2026-01-01T00:00:00.000000Z",
    "recording": "SIM-0001-000007", "told": True,
}  # fmt: skip


@pytest.mark.requirement("R1", "R11", "R29")
def test_of_a_queue_item_only_its_public_fields_are_sent() -> None:
    (item,) = queue_items({"items": [{**ITEM, "symptom": "cracked", "officer": "4711", "lat": 41.3}], "dropped": 0})
    data = queue_data(item)
    assert data["component"] == "lens"
    assert data["attention"] is True
    assert set(data) <= {*QueueItem.__struct_fields__, "attention"}
    assert not {"symptom", "officer", "lat"} & set(data)


def test_what_is_no_queue_item_is_left_out() -> None:
    bad: list[Any] = [None, 5, {}, {**ITEM, "cause": "Mary Smith"}, {**ITEM, "id": -1}, {**ITEM, "noticed": "today"}]
    assert queue_items({"items": [*bad, ITEM]}) == queue_items({"items": [ITEM]})
    assert queue_items({}) == queue_items({"items": "x"}) == []
    (elsewhere,) = queue_items({"items": [{**ITEM, "recording": "Mary Smith"}]})
    assert elsewhere.recording is None


@pytest.mark.requirement("R11", "R29")
def test_each_item_is_told_when_it_appears_and_when_it_is_over() -> None:
    (begun,) = queue_items({"items": [ITEM]})
    over = msgspec.structs.replace(begun, end="2026-01-01T00:01:00.000000Z")
    key = "4:2026-01-01T00:00:00.000000Z"
    assert news([begun], {}) == [begun]
    assert news([begun], {key: False}) == []
    assert news([over], {key: False}) == [over]
    assert news([over], {key: True}) == []
    assert news([over], {}) == [over], "both at once, if nobody was there in between"
    again = msgspec.structs.replace(begun, noticed="2026-02-01T00:00:00.000000Z")
    assert news([again], {key: True}) == [again], "a queue that was lost begins its numbers anew"
