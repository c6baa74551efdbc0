"""The receiver's time for chrony, with a real chronyd as the judge (it sets no clock here: -x)."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hal.chrony_samples import STEADY, ChronySamples, checked_path
from hal.errors import BadDriverOption
from hal.gps import GpsEpoch

SECOND = 1_000_000_000
NOW_NS = 1_800_000_000 * SECOND
AHEAD_NS = 123_000_000


class Ear:
    """chronyd's end of the socket."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(self.path)
        self.faults: list[str] = []
        self.system_ns = NOW_NS
        self.boot_ns = 50 * SECOND
        self.samples = ChronySamples(self.path, lambda: self.system_ns, lambda: self.boot_ns, self.faults.append)

    def second(self, *, jump_ns: int = 0, fix: bool = True, dated: bool = True) -> None:
        """A second passes; the receiver names it, `AHEAD_NS` ahead of the system, 40 ms before it is handled."""
        self.system_ns += SECOND
        self.boot_ns += SECOND
        received_ns = self.boot_ns - 40_000_000
        utc_ns = self.system_ns - 40_000_000 + AHEAD_NS + jump_ns
        self.samples.feed(GpsEpoch(received_ns, fix, utc_ns=utc_ns if dated else None))

    def heard(self) -> list[tuple[float, float]]:
        """(system time, offset) of each sample so far."""
        found: list[tuple[float, float]] = []
        while True:
            try:
                data = self.socket.recv(200)
            except BlockingIOError:
                return found
            seconds, micros, offset_s, pulse, leap, _, magic = struct.unpack("@qqdiiii", data)
            assert (len(data), pulse, leap, magic) == (40, 0, 0, 0x534F434B)
            found.append((seconds + micros / 1e6, offset_s))


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    one = Ear(tmp_path / "gnss.sock")
    yield one
    one.samples.close()
    one.socket.close()


def test_a_receiver_that_keeps_step_is_handed_on_with_the_moment_at_which_it_came(ear: Ear) -> None:
    for _ in range(STEADY + 1):
        ear.second()
    heard = ear.heard()
    assert len(heard) == 2
    system_s, offset_s = heard[-1]
    assert abs(system_s - (ear.system_ns / 1e9 - 0.04)) < 1e-5
    assert abs(offset_s - 0.123) < 1e-5


def test_without_fix_or_date_or_before_the_build_nothing_is_handed_on(ear: Ear) -> None:
    for _ in range(10):
        ear.second(fix=False)
        ear.second(dated=False)
        ear.second(jump_ns=-1024 * 7 * 86_400 * SECOND)  # a receiver that has lost its epoch of weeks
    assert ear.heard() == []


def test_a_receiver_that_does_not_keep_step_is_not_handed_on(ear: Ear) -> None:
    for number in range(20):
        ear.second(jump_ns=(number % 2) * SECOND)
    assert ear.heard() == []


@pytest.mark.requirement("R5")
def test_a_jump_is_told_once_and_never_followed(ear: Ear) -> None:
    for _ in range(STEADY):
        ear.second()
    assert len(ear.heard()) == 1
    for _ in range(60):
        ear.second(jump_ns=3600 * SECOND)
    for _ in range(60):
        ear.second()
    assert ear.heard() == []
    assert ear.faults == ["the GPS receiver's time jumped by +3600 s: chrony is not told its time any more"]


def test_what_comes_between_two_looks_at_clocks_on_a_busy_camera_is_no_part_of_the_offset(ear: Ear) -> None:
    looks = itertools.count()
    ear.samples = ChronySamples(
        ear.path,
        lambda: ear.system_ns,
        lambda: ear.boot_ns + (0 if next(looks) % 3 else 200_000_000),
        ear.faults.append,
    )
    for _ in range(STEADY + 3):
        ear.second()
    assert [offset_s for _, offset_s in ear.heard()] == pytest.approx([AHEAD_NS / SECOND] * 4, abs=1e-5)


def test_chrony_that_is_not_there_is_no_fault_and_is_told_when_it_is_back(ear: Ear) -> None:
    Path(ear.path).unlink()
    for _ in range(STEADY + 3):
        ear.second()
    ear.socket.close()
    ear.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    ear.socket.bind(ear.path)
    ear.second()
    assert len(ear.heard()) == 1
    assert ear.faults == []


def test_a_path_that_is_no_socket_is_one_fault(ear: Ear, tmp_path: Path) -> None:
    Path(ear.path).unlink()
    Path(ear.path).mkdir()
    (tmp_path / "plain").touch()
    ear.samples = ChronySamples(f"{tmp_path}/plain/x", lambda: ear.system_ns, lambda: ear.boot_ns, ear.faults.append)
    for _ in range(STEADY + 3):
        ear.second()
    assert len(ear.faults) == 1
    assert "must be allowed to write" in ear.faults[0]


@pytest.mark.parametrize("path", ["", "gnss.sock", "/" + "x" * 107, 5])
def test_a_path_that_cannot_be_is_refused(path: object) -> None:
    with pytest.raises(BadDriverOption, match="chrony_socket must be an absolute path"):
        checked_path(path)


def found(program: str) -> str:
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        assert os.environ.get("CI") != "true", "CI must have chrony"
        pytest.skip("chrony is not installed: run `make test` as root once, or install it")
    return path


def test_chronyd_takes_the_samples_and_finds_the_offset(tmp_path: Path) -> None:
    chronyd, chronyc = found("chronyd"), found("chronyc")
    tmp_path.chmod(0o700)
    conf, gnss, command = tmp_path / "chrony.conf", tmp_path / "gnss.sock", tmp_path / "chronyd.sock"
    conf.write_text(
        f"refclock SOCK {gnss} refid GNSS delay 0.2 poll -2 filter 1\n"
        f"port 0\ncmdport 0\nbindcmdaddress {command}\npidfile {tmp_path}/chronyd.pid\n"
    )
    user = ["-u", "root"] if os.geteuid() == 0 else []
    process = subprocess.Popen([chronyd, "-x", "-U", "-d", "-f", str(conf), *user], stderr=subprocess.DEVNULL)
    now = [0]  # one look at one clock for each epoch: whatever comes between two looks would be a part of the offset
    samples = ChronySamples(str(gnss), lambda: now[0], lambda: now[0], pytest.fail)
    passing, deadline = threading.Event(), time.monotonic() + 180
    offset_s = None
    try:
        while offset_s is None:
            assert time.monotonic() < deadline, "chronyd has not taken a sample"
            assert process.poll() is None, "chronyd has ended"
            now[0] = time.time_ns()
            samples.feed(GpsEpoch(now[0], True, utc_ns=now[0] + AHEAD_NS))
            passing.wait(0.1)
            told = subprocess.run(
                [chronyc, "-h", str(command), "-c", "sources"], capture_output=True, text=True, check=False, timeout=120
            ).stdout.split(",")
            if len(told) > 9 and told[2] == "GNSS" and int(told[5]) > 0:  # it was reached
                offset_s = float(told[8])
    finally:
        process.terminate()
        process.wait(120)
        samples.close()
    assert abs(abs(offset_s) - 0.123) < 0.05


def test_chronyd_takes_what_the_page_on_sensors_tells_people_to_write(tmp_path: Path) -> None:
    """Together with what our package brings already."""
    base = Path(__file__).parents[2]
    brought = (base / "systemd/conf/chrony.conf").read_text()
    page = (base / "docs/sensors.md").read_text()
    conf = tmp_path / "gnss.conf"
    conf.write_text(brought + page.split("```chrony\n")[1].split("```")[0])
    judged = subprocess.run(
        [found("chronyd"), "-p", "-f", str(conf)], capture_output=True, text=True, check=False, timeout=120
    )
    assert judged.returncode == 0, judged.stderr
    assert judged.stdout.count("refclock ") == 2
