"""The counter of documents: fetched, handed to the recorder, answered; nothing is asked of the recorder twice."""

from __future__ import annotations

import asyncio
import hashlib
import json
from email.message import Message
from typing import Any, cast

import pytest

from dock.agent.documents import DOCUMENT_BYTES, DocumentCounter
from dock.agent.session import Session
from dock.errors import RecorderRefused, RecorderUnreachable, StationFailed, StationRefused, StationUnreachable
from dock.transport.https import Answer, StationLink


class Counter(StationLink):
    """A station with documents, as `dock.station.documents` answers."""

    def __init__(self, *documents: tuple[str, bytes]) -> None:
        self.waiting = {hashlib.sha256(data).hexdigest(): (kind, data) for kind, data in documents}
        self.answers: list[tuple[str, dict[str, Any]]] = []
        self.deaf = False
        self.status = 200
        self.listing: bytes | None = None

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        _, _, document, *rest = [*path.split("/"), ""]
        if method == "POST":
            if self.deaf:
                raise StationUnreachable("it went away")
            assert rest[0] == "answer"
            kind, _ = self.waiting.pop(document)
            self.answers.append((kind, json.loads(body)))
            return Answer(204, Message(), b"")
        if document:
            return Answer(200, Message(), self.waiting[document][1])
        rows = [{"id": one, "kind": kind, "bytes": len(data)} for one, (kind, data) in self.waiting.items()]
        return Answer(self.status, Message(), self.listing or json.dumps(rows).encode())


class Recorder:
    """Takes profiles and proofs, refuses commands."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.error: Exception | None = None

    async def command(self, _: bytes) -> None:
        raise RecorderRefused("this command was taken before")

    async def profile(self, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append(data)

    proof = profile


def one_round(counter: DocumentCounter, station: Counter) -> bool:
    return asyncio.run(counter._round(cast("Session", None), station))


@pytest.mark.requirement("R7")
def test_each_document_reaches_the_recorder_and_its_answer_the_station() -> None:
    recorder = Recorder()
    counter = DocumentCounter(cast("Any", recorder))
    station = Counter(("profile", b"one"), ("command", b"two"), ("proof", b"three"), ("riddle", b"four"))
    assert one_round(counter, station)
    assert recorder.taken == [b"one", b"three"]
    assert station.answers == [
        ("profile", {}),
        ("command", {"error": "this command was taken before"}),
        ("proof", {}),
        ("riddle", {"error": "this agent has no use for a document of the kind riddle: update the agent"}),
    ]
    assert not one_round(counter, station)


def test_an_answer_that_did_not_arrive_is_told_again_without_asking_the_recorder_twice() -> None:
    recorder = Recorder()
    counter = DocumentCounter(cast("Any", recorder))
    station = Counter(("profile", b"one"))
    station.deaf = True
    with pytest.raises(StationUnreachable):
        one_round(counter, station)
    station.deaf = False
    one_round(counter, station)
    assert recorder.taken == [b"one"]
    assert station.answers == [("profile", {})]


def test_a_recorder_that_is_away_leaves_the_document_waiting() -> None:
    recorder = Recorder()
    counter = DocumentCounter(cast("Any", recorder))
    station = Counter(("profile", b"one"))
    recorder.error = RecorderUnreachable("restarting")
    with pytest.raises(RecorderUnreachable):
        one_round(counter, station)
    assert not station.answers
    recorder.error = None
    assert one_round(counter, station)


def test_an_update_goes_to_its_own_part() -> None:
    given: list[bytes] = []

    async def update(_: Session, data: bytes) -> None:
        given.append(data)

    station = Counter(("update", b"manifest"))
    assert one_round(DocumentCounter(cast("Any", Recorder()), update), station)
    assert given == [b"manifest"]


def test_bytes_that_are_not_those_listed_and_lists_that_are_none_go_nowhere() -> None:
    recorder = Recorder()
    counter = DocumentCounter(cast("Any", recorder))
    station = Counter(("profile", b"one"))
    station.waiting = dict.fromkeys(station.waiting, ("profile", b"other"))
    with pytest.raises(StationFailed, match="not those that were listed"):
        one_round(counter, station)
    for listing in (b"{}", b'[{"id":"../x","kind":"profile","bytes":1}]', b"[" * 5000, b"\xff"):
        station.listing = listing
        with pytest.raises(StationFailed, match="not a list"):
            one_round(counter, station)
    station.status = 404
    with pytest.raises(StationRefused):
        one_round(counter, station)
    large = Counter(("profile", b"x" * (DOCUMENT_BYTES + 1)))
    one_round(counter, large)
    assert "at most" in large.answers[0][1]["error"]
    assert not recorder.taken
