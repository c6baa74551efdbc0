"""The agent tells its station what waits only for a vault proof (R40)."""

from __future__ import annotations

import asyncio
import json
from email.message import Message
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dock.agent.missing_proofs import MissingProofs
from dock.agent.session import Session
from dock.errors import StationRefused
from dock.transport.https import Answer, StationLink
from evidence.handover import Spool, SpoolFile


class Counter(StationLink):
    """A station that takes the word, or does not."""

    def __init__(self, status: int = 204) -> None:
        self.told: list[list[str]] = []
        self.status = status

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        assert (method, path) == ("POST", "/proofs/missing")
        self.told.append(json.loads(body)["names"])
        return Answer(self.status, Message(), b"no")


class Recorder:
    """Its files; `missing` are the numbers of those that lack a proof."""

    def __init__(self, *missing: int) -> None:
        self.missing = missing

    async def spool(self) -> Spool:
        files = tuple(
            SpoolFile(
                name=f"SIM-0001-{number:06d}.evidence", stream="recording", number=number, bytes=1, close_hash="0" * 64,
                upload_class="normal", state="receipted", proof_missing=number in self.missing,
            )
            for number in (1, 2, 3)
        )  # fmt: skip
        return Spool(directory="/spool", files=files)


class Pauses:
    """A session that ends after some pauses."""

    def __init__(self, link: StationLink, proof_missing: list[int]) -> None:
        self.link = link
        self.proof_missing = proof_missing

    def new_link(self) -> StationLink:
        return self.link

    @property
    def watch(self) -> Any:
        return SimpleNamespace(status=SimpleNamespace(proof_missing=self.proof_missing[0]))

    async def pause(self, _: float) -> None:
        self.proof_missing.pop(0)
        if not self.proof_missing:
            raise EOFError


def run(recorder: Recorder, station: Counter, *proof_missing: int) -> None:
    session = Pauses(station, list(proof_missing))
    asyncio.run(MissingProofs(cast("Any", recorder)).beside(cast("Session", session)))


@pytest.mark.requirement("R40")
def test_what_waits_is_told_once_and_again_when_it_changes() -> None:
    recorder, station = Recorder(1, 3), Counter()
    missing = MissingProofs(cast("Any", recorder))
    for _ in range(3):
        assert asyncio.run(missing._tell(station))
    recorder.missing = (3,)
    assert asyncio.run(missing._tell(station))
    first, third = "SIM-0001-000001.evidence", "SIM-0001-000003.evidence"
    assert station.told == [[first, third], [third]]


def test_a_camera_that_lacks_nothing_says_nothing() -> None:
    station = Counter()
    with pytest.raises(EOFError):
        run(Recorder(1), station, 0, 0, 0)
    assert station.told == []


@pytest.mark.parametrize("status", [400, 404, 413])
def test_a_station_that_knows_no_proofs_is_left_in_peace(status: int) -> None:
    station = Counter(status)
    run(Recorder(1), station, 1, 1, 1)
    assert len(station.told) == 1


def test_a_station_that_lets_us_not_in_ends_the_session_as_everywhere() -> None:
    with pytest.raises(StationRefused):
        run(Recorder(1), Counter(403), 1, 1)
