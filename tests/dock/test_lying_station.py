"""The real station, made to lie by the simulator: nothing is taken for stored, everybody is told, and once it is honest
again every file arrives (R6, R30, R34, R38).

The agent and the station are the real ones, the network between them is the simulator's, the recorder is as strict as
the device's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dock_camera import Camera, FakeRecorder
from lying_bench import LyingWorld, Visitor, lying_world

from evidence.trust import Trust


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LyingWorld]:
    with lying_world(tmp_path_factory.mktemp("lying")) as world:
        yield world


@pytest.fixture
def world(served: LyingWorld) -> Iterator[LyingWorld]:
    yield served
    served.again()


@pytest.fixture
def visitor(tmp_path: Path, world: LyingWorld) -> Iterator[Visitor]:
    (tmp_path / "spool").mkdir()
    camera = Camera(world.pki, tmp_path / "spool")
    recorder = FakeRecorder(tmp_path / "recorder.sock", camera.spool, Trust.load(world.pki / "root.pem"))
    yield Visitor(world, camera, recorder, tmp_path)
    recorder.close()


PLAIN: dict[str, dict[str, Any]] = {
    **{f"{status} to the announcement": {"what": "status", "status": status} for status in (401, 402, 403, 404, 500)},
    "404 in the middle": {"what": "status", "status": 404, "at": "bytes"},
    "503 and patience": {"what": "status", "status": 503, "retry_after_s": 1},
    "507 in the middle": {"what": "status", "status": 507, "at": "bytes"},
    "an early 200": {"what": "status", "status": 200},
    "a redirect": {"what": "redirect", "at": "bytes"},
    "a torn answer": {"what": "torn", "at": "receipt"},
    "a torn greeting": {"what": "torn", "at": "greeting"},
    "garbage for a receipt": {"what": "garbage", "at": "receipt"},
    "garbage for a greeting": {"what": "garbage", "at": "greeting"},
    "no receipt yet": {"what": "status", "status": 404, "at": "receipt"},
    "bytes acknowledged and lost": {"what": "ack_lost"},
    "all confirmed, the end missing": {"what": "incomplete"},
    "another length": {"what": "wrong_length"},
    "another camera's receipt": {"what": "other_camera"},
    "an expired receipt key": {"what": "expired"},
    "another agency's receipt key": {"what": "other_agency"},
    "a key that may not sign receipts": {"what": "other_role"},
    "another system's greeting": {"what": "wrong_system"},
    "a greeting with an expired key": {"what": "greeting_expired"},
    "a greeting of another agency": {"what": "greeting_foreign"},
}
"""Lies after which the file arrives by itself, soon."""


@pytest.mark.requirement("R6", "R30", "R34", "R38")
@pytest.mark.parametrize("lie", PLAIN)
def test_a_lie_deletes_nothing_is_told_and_the_truth_mends_it(visitor: Visitor, world: LyingWorld, lie: str) -> None:
    (file,) = visitor.files(60_000)
    before = visitor.here(file)
    world.station.lie(**PLAIN[lie])
    began = world.station.told()["lies"]
    with visitor.agent("chunk_bytes = 32768") as running:
        world.until(lambda: world.station.told()["lies"] > began + 1, f"{lie}: it is told and told again")
        if lie not in ("503 and patience", "bytes acknowledged and lost"):  # nothing wrong is left to tell
            world.until(lambda: running.events.of("file_kept") or running.events.of("offload_failed"), lie)
        assert not visitor.recorder.receipts
        assert visitor.here(file) == before
        world.station.honest()
        world.until(lambda: file.name in visitor.recorder.receipts, lie)
    assert visitor.stored(file)
    assert visitor.recorder.receipts[file.name].verdict == "valid"
