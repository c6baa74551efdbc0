"""The card as a mounted file system: what any program sees of it, and that no mount is ever left behind (R29, R38)."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evidence import durable
from evidence.durable import AppendFile
from simulator.card.mounted import MountedCard, NoCard, mount_card
from simulator.card.mounts import mounts_below, unmount
from simulator.processes import Child, Children
from simulator.run_errors import WorldRefused

pytestmark = pytest.mark.requirement("R29", "R38")


class Rig:
    """One mounted card, shared by the tests: each has a directory of its own on it."""

    def __init__(self, place: Path, card: MountedCard, child: Child) -> None:
        self.place = place
        self.card = card
        self.child = child

    def on_card(self, name: str) -> Path:
        path = self.place / name
        path.mkdir()
        durable.sync_directory(self.place)
        return path


def no_card(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"no card can be mounted, and CI can: {why}")
    pytest.skip(f"no card can be mounted here: {why}")


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="card-") as name:
        base = Path(name)
        for one in ("camera", "logs"):
            (base / one).mkdir()
        with Children(base / "logs") as children:
            card, child = mount_card(children, base / "camera", base / "card.sock")
            if isinstance(card, NoCard) or child is None:
                no_card(card.why if isinstance(card, NoCard) else "")
                raise AssertionError
            yield Rig(base / "camera", card, child)
            card.make_whole()
            card.close()
        assert mounts_below(base) == [], "the end takes the mount away"


@pytest.fixture
def card(rig: Rig) -> Iterator[MountedCard]:
    rig.card.cut("written")  # what earlier tests left is durable, and owed by nobody
    rig.card.power_on()
    yield rig.card
    rig.card.make_whole()


def until(true: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.02)


def test_a_whole_card_is_a_file_system_like_any_other(rig: Rig, card: MountedCard) -> None:
    here = rig.on_card("plain")
    with AppendFile.create(here / "a") as file:
        for _ in range(3):
            file.append([b"x" * 200_000, b"y"])
    assert (here / "a").stat().st_size == 600_003
    durable.replace(here / "state", b"one")
    durable.replace(here / "state", b"two")
    durable.write_new(here / "object", b"sealed")
    with pytest.raises(FileExistsError):
        durable.write_new(here / "object", b"another")
    (here / "aside").mkdir()
    durable.rename(here / "object", here / "aside" / "object")
    assert sorted(one.name for one in here.iterdir()) == ["a", "aside", "state"]
    assert (here / "state").read_bytes() == b"two"
    assert (here / "aside" / "object").read_bytes() == b"sealed"
    (here / "link").symlink_to("state")
    assert (here / "link").read_bytes() == b"two"
    (here / "state").chmod(0o600)
    assert (here / "state").stat().st_mode & 0o777 == 0o600
    with (here / "open").open("w+b") as file_without_a_name:
        (here / "open").unlink()
        file_without_a_name.write(b"still mine")
        file_without_a_name.seek(0)
        assert file_without_a_name.read() == b"still mine"
    durable.set_aside(here / "reserve", 5000)
    assert (here / "reserve").stat().st_size == 5000
    (here / "aside" / "object").unlink()
    (here / "aside").rmdir()


def test_a_power_cut_forgets_what_was_not_synced_bytes_names_and_directories(rig: Rig, card: MountedCard) -> None:
    here = rig.on_card("cut")
    with AppendFile.create(here / "a") as file:
        file.append([b"told to be durable"])
    (here / "nobody synced this").write_bytes(b"x")
    (here / "directory").mkdir()
    durable.write_new(here / "directory" / "in a directory that is not durable", b"x")
    with (here / "a").open("ab") as more:
        more.write(b", and this is not")
    (here / "a").rename(here / "b")
    lost = card.cut()
    card.power_on()
    assert {one.name: one.read_bytes() for one in here.iterdir()} == {"a": b"told to be durable"}
    assert lost.bytes == len(b", and this is not") + 1
    assert lost.names == 4


def test_the_power_goes_in_the_middle_of_a_write_and_whoever_wrote_is_ended(rig: Rig, card: MountedCard) -> None:
    here = rig.on_card("torn")
    code = "import sys; f = open(sys.argv[1], 'wb', buffering=0); [f.write(b'0123456789' * 10) for _ in range(100)]"
    card.cut_after(written_bytes=250, survives="written")
    writer = subprocess.Popen([sys.executable, "-c", code, str(here / "a")])
    until(card.power_is_lost, "the power goes by itself")
    assert writer.poll() is None, "without power nothing is answered, no error either"
    writer.kill()
    card.power_on()
    assert writer.wait(120) == -signal.SIGKILL
    assert (here / "a").read_bytes() == b"0123456789" * 25


def test_what_was_opened_before_the_cut_cannot_be_written_after_it(rig: Rig, card: MountedCard) -> None:
    here = rig.on_card("before")
    file = AppendFile.create(here / "a")
    file.append([b"before"])
    card.cut()
    card.power_on()
    with pytest.raises(OSError, match="Input/output"):
        file.append([b"after"])
    file.close()
    with AppendFile.reopen(here / "a") as again:
        again.append([b", again"])
    assert (here / "a").read_bytes() == b"before, again"


def test_each_fault_is_what_a_program_sees(rig: Rig, card: MountedCard) -> None:
    here = rig.on_card("faults")
    file = AppendFile.create(here / "a")
    file.append([b"whole"])

    def refused(number: int) -> None:
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            file.append([b"does not get there"])
        assert caught.value.errno == number

    card.full(left_bytes=4)
    assert durable.free_bytes(here) <= 4096
    refused(errno.ENOSPC)
    card.heal()
    card.read_only()
    refused(errno.EROFS)
    with pytest.raises(OSError, match="Read-only"):
        (here / "new").touch()
    card.heal("read_only")
    card.error("sync")
    refused(errno.EIO)
    card.heal()
    card.error("read")
    with pytest.raises(OSError, match="Input/output"):
        (here / "a").read_bytes()
    card.heal()
    assert (here / "a").read_bytes() == b"whole", "nothing of what was refused is left"
    file.append([b" again"])
    assert (here / "a").read_bytes() == b"whole again"
    file.close()


def test_bits_are_read_wrong_for_a_while_or_turn_for_good(rig: Rig, card: MountedCard) -> None:
    here = rig.on_card("rot")
    durable.replace(here / "rot.evidence", bytes(10_000))
    card.bit_rot(1000)
    wrong = (here / "rot.evidence").read_bytes()
    assert sum(one.bit_count() for one in wrong) == 10
    card.heal("bit_rot")
    assert not any((here / "rot.evidence").read_bytes())
    assert "rot/rot.evidence" in (card.flip_bit(within="rot/rot.evidence") or "")
    assert sum(one.bit_count() for one in (here / "rot.evidence").read_bytes()) == 1
    with pytest.raises(WorldRefused, match="no file on the card"):
        card.flip_bit(within="nowhere")


def test_a_slow_card_takes_its_time(rig: Rig, card: MountedCard) -> None:
    here = rig.on_card("slow")
    file = AppendFile.create(here / "a")
    card.slow(bytes_per_s=50_000, sync_s=0.1)
    began_s = time.monotonic()
    file.append([bytes(10_000)])
    assert time.monotonic() - began_s >= 0.3
    file.close()


def test_a_stalled_card_makes_wait_who_writes_and_nobody_who_only_looks(rig: Rig, card: MountedCard) -> None:
    here = rig.on_card("stall")
    durable.replace(here / "a", b"x")
    card.stall()
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(here / 'b')!r}, 'w').write('late')"])
    assert [one.name for one in card.seen(here).iterdir()] == ["a"], "the world looks past the mount"
    assert card.seen(here / "a").read_bytes() == b"x"
    assert (here / "a").stat().st_size == 1
    assert durable.free_bytes(here) > 0
    assert writer.poll() is None
    card.heal("stall")
    assert writer.wait(120) == 0
    assert (here / "b").read_bytes() == b"late"


def test_orders_that_make_no_sense_are_refused_with_a_sentence(rig: Rig) -> None:
    for bad in (MountedCard.slow, MountedCard.full):
        with pytest.raises(WorldRefused, match="makes no sense"):
            bad(rig.card, -1)  # type: ignore[operator]


def started(base: Path) -> subprocess.Popen[str]:
    for one in (base / "camera", base / "camera" / "spool"):
        one.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "simulator.card", str(base / "camera"), "--control", str(base / "card.sock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "card ready" in process.stdout.readline()
    return process


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_however_it_is_ended_no_mount_is_left_and_the_files_lie_where_they_were(
    rig: Rig, tmp_path: Path, how: signal.Signals
) -> None:
    process = started(tmp_path)
    durable.replace(tmp_path / "camera" / "spool" / "a", b"kept")
    assert mounts_below(tmp_path) == [tmp_path / "camera"]
    process.send_signal(how)
    assert process.wait(120) == (0 if how != signal.SIGKILL else -how)
    until(lambda: mounts_below(tmp_path) == [], "the mount goes with its program")
    assert (tmp_path / "camera" / "spool" / "a").read_bytes() == b"kept"
    assert not (tmp_path / ".camera.kept").exists() or how == signal.SIGKILL


def test_a_mount_that_was_left_behind_is_found_and_taken_away(rig: Rig, tmp_path: Path) -> None:
    first = started(tmp_path)
    second = started(tmp_path)  # as if the first had died and nobody had noticed
    durable.replace(tmp_path / "camera" / "a", b"by the second")
    for process in (first, second):
        process.terminate()
        process.wait(120)
    assert mounts_below(tmp_path) == []
    assert (tmp_path / "camera" / "a").read_bytes() == b"by the second"
    unmount(tmp_path)  # nothing there: nothing happens


def test_where_nothing_can_be_mounted_the_world_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.card.mounted._FUSE", tmp_path / "no fuse")
    with Children(tmp_path) as children:
        card, child = mount_card(children, tmp_path, tmp_path / "s")
    assert child is None
    with pytest.raises(WorldRefused, match="install fuse3"):
        card.stall()
    card.cut()
    card.power_on()  # a power cut is one all the same: it only forgets nothing
