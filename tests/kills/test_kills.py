"""A slice of the kill bench (`make kills`): real processes, real SIGKILLs, every invariant after each (R38).

The judge is judged, too: here by spoiling a card by hand, in the bench itself by spoilt recorders.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[1] / "device"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "dock"))
from dock_camera import Camera
from owed import Owed, held, not_kept

from evidence.trust import Trust
from fleet.ca import create_agency

HERE = Path(__file__).resolve().parent
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("kills-pki")
    create_agency(directory)
    return directory


@pytest.fixture
def owed(tmp_path: Path, pki: Path) -> Owed:
    """A spool with a closed recording, of which everything is owed."""
    spool = tmp_path / "spool"
    spool.mkdir()
    Camera(pki, spool).record(1)
    found = Owed(spool, Trust.load(pki / "root.pem"), tmp_path / "archive", tmp_path / "receipts")
    assert found.dead()[1] == []
    return found


def bench(*words: str) -> str:
    """What a run of the bench prints. A process of its own: it forks, which one with threads must not."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(
        [sys.executable, str(HERE / "run_kills.py"), *words, "--seed", "7"],
        capture_output=True, text=True, check=False, timeout=1500, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.requirement("R22", "R38")
def test_killed_in_every_phase_of_a_recording_nothing_is_lost_and_spoilt_recorders_are_found_out() -> None:
    phases = ("start", "recovery", "self_test", "trigger", "recording", "roll_over", "stop", "shutdown")
    said = bench("--kills", "9", *(word for phase in phases for word in ("--phase", phase)))
    assert "no violation" in said
    assert said.count(": found out") == 3


@pytest.mark.slow
@pytest.mark.requirement("R30", "R38")
def test_killed_at_the_dock_every_recording_comes_to_the_archive_once_and_has_its_receipt() -> None:
    said = bench("--kills", "8", "--phase", "dock", "--phase", "steps-station", "--every", "12", "--no-controls")
    assert "no violation" in said
    assert "a file to the archive" in said


@pytest.mark.slow
@pytest.mark.requirement("R13", "R38")
def test_killed_while_a_release_is_handed_out_the_camera_gets_it_whole_and_goes_on_recording() -> None:
    said = bench("--kills", "6", "--phase", "update", "--no-controls")
    assert "no violation" in said
    assert "the update arrives" in said


def test_the_judge_sees_a_file_that_is_shorter_or_another_than_it_was(owed: Owed) -> None:
    (path,) = owed.spool.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert "were written" in owed.missing()[0]
    path.write_bytes(whole[:99] + bytes([whole[99] ^ 1]) + whole[100:])
    assert "were written" in owed.missing()[0]
    path.write_bytes(whole)
    assert owed.missing() == []


def test_the_judge_sees_a_file_that_went_without_a_copy_or_without_a_receipt(owed: Owed) -> None:
    (path,) = owed.spool.iterdir()
    whole = path.read_bytes()
    path.unlink()
    assert "neither on the camera nor in the archive" in owed.missing()[0]
    assert owed.archive is not None
    owed.archive.mkdir()
    (owed.archive / path.name).write_bytes(whole)
    assert "without a receipt" in owed.missing()[0]


def test_the_judge_reads_a_torn_file_up_to_its_last_whole_pair(owed: Owed) -> None:
    (path,) = owed.spool.iterdir()
    data, whole = path.read_bytes(), held(path)
    assert whole.closed
    assert whole.whole_bytes == len(data)
    assert not_kept([whole], {path.stem: whole.last_frame}, {path.stem}) == []
    assert not_kept([whole], {path.stem: whole.last_frame + 1}, set()) != []
    for size in range(0, len(data), 97):
        path.write_bytes(data[:size])
        torn = held(path)
        assert torn.whole_bytes <= size
        assert not torn.closed
        assert not_kept([torn], {}, {path.stem}) != []
