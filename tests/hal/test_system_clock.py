"""UTC is a claim with an interval, and nobody vouches for it unless the kernel says so (design, invariant 10)."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hal import clock as clock_module
from hal.clock import UNVOUCHED_NS, KernelTime, SystemClock, Timex, UtcClaim, read_kernel_time
from hal.errors import BadDriverOption

NOW_NS = 1_800_000_000 * 1_000_000_000
C_PROGRAM = r"""
#include <stddef.h>
#include <stdio.h>
#include <sys/timex.h>
#define AT(field) printf("%zu ", offsetof(struct timex, field))
int main(void) {
    AT(modes); AT(offset); AT(freq); AT(maxerror); AT(esterror); AT(status); AT(constant); AT(precision);
    AT(tolerance); AT(time.tv_sec); AT(time.tv_usec); AT(tick); AT(ppsfreq); AT(jitter); AT(shift); AT(stabil);
    AT(jitcnt); AT(calcnt); AT(errcnt); AT(stbcnt); AT(tai);
    printf("%zu %d %d\n", sizeof(struct timex), STA_UNSYNC, TIME_ERROR);
    return 0;
}
"""


def claim_of(kernel: KernelTime | None, now_ns: int = NOW_NS, **options: object) -> UtcClaim:
    system = SystemClock(kernel_time=lambda: kernel, realtime=lambda: now_ns, **options)  # type: ignore[arg-type]
    return system.utc()


def test_a_synchronized_kernel_vouches_within_its_maximum_error() -> None:
    assert claim_of(KernelTime(True, 21_500)) == UtcClaim(NOW_NS - 21_500_000, NOW_NS + 21_500_000, "ntp")


@pytest.mark.parametrize("kernel", [None, KernelTime(False, 16_000_000), KernelTime(True, 1_000_001)])
def test_without_the_kernels_word_nobody_vouches(kernel: KernelTime | None) -> None:
    assert claim_of(kernel) == UtcClaim(NOW_NS - UNVOUCHED_NS, NOW_NS + UNVOUCHED_NS, "none")


def test_where_a_receiver_sets_the_kernels_clock_that_is_the_source() -> None:
    assert claim_of(KernelTime(True, 1000), kernel_source="gnss").source == "gnss"
    assert claim_of(KernelTime(False, 1000), kernel_source="gnss").source == "none"
    with pytest.raises(BadDriverOption, match="kernel_source must be 'ntp' or 'gnss'"):
        SystemClock(kernel_source="rtc")


def test_the_permitted_error_is_an_option() -> None:
    assert claim_of(KernelTime(True, 1_500_000), ntp_max_error_s=2).source == "ntp"


def test_a_clock_before_the_build_date_is_not_believed_even_if_synchronized() -> None:
    built = datetime(2027, 6, 1, tzinfo=UTC)
    built_ns = int(built.timestamp()) * 1_000_000_000
    claim = claim_of(KernelTime(True, 1000), firmware_built="2027-06-01")
    assert claim.source == "none"
    assert claim.earliest_ns < NOW_NS
    assert claim.latest_ns == built_ns + UNVOUCHED_NS, "the truth is after the build date and must fit in"
    assert claim_of(KernelTime(True, 1000), now_ns=built_ns, firmware_built="2027-06-01").source == "ntp"
    assert claim_of(KernelTime(True, 1000), now_ns=0).source == "none"


def test_the_real_clock_reads_the_kernel() -> None:
    system = SystemClock()
    before_ns, real_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns()
    assert before_ns <= system.boottime_ns()
    claim = system.utc()
    assert claim.source in ("ntp", "none")
    assert claim.earliest_ns <= real_ns + 1_000_000_000
    assert claim.latest_ns >= real_ns


def test_the_boot_id_is_the_kernels() -> None:
    path = Path(clock_module.BOOT_ID_PATH)
    if not path.exists():
        pytest.skip(f"{path} is hidden here")
    assert SystemClock().boot_id == path.read_text(encoding="ascii").strip()


def test_a_hidden_proc_gives_an_id_of_the_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clock_module, "BOOT_ID_PATH", str(tmp_path / "boot_id"))
    system = SystemClock()
    assert uuid.UUID(system.boot_id).version == 4
    assert system.boot_id == system.boot_id


def test_a_refused_system_call_is_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def adjtimex(self, answer: object) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *args, **kwargs: Refusing())
    assert read_kernel_time() is None


@pytest.mark.parametrize(("state", "status", "expected"), [(0, 0x2001, True), (5, 0x2001, False), (0, 0x40, False)])
def test_both_the_state_and_the_status_must_say_synchronized(
    monkeypatch: pytest.MonkeyPatch, state: int, status: int, expected: bool
) -> None:
    class Kernel:
        def adjtimex(self, answer: object) -> int:
            timex = answer._obj  # type: ignore[attr-defined]
            assert timex.modes == 0, "read only"
            timex.status, timex.maxerror = status, 1234
            return state

    monkeypatch.setattr(ctypes, "CDLL", lambda *args, **kwargs: Kernel())
    assert read_kernel_time() == KernelTime(expected, 1234)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc to ask the C header")
def test_the_structure_is_laid_out_as_the_c_header_says(tmp_path: Path) -> None:
    source, program = tmp_path / "timex.c", tmp_path / "timex"
    source.write_text(C_PROGRAM, encoding="ascii")
    subprocess.run(["gcc", "-o", str(program), str(source)], check=True)
    answer = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    ours = [getattr(Timex, name).offset for name, *_ in Timex._fields_ if name != "reserved"]
    ours += [ctypes.sizeof(Timex), clock_module.STA_UNSYNC, clock_module.TIME_ERROR]
    assert [int(number) for number in answer.split()] == ours


@pytest.mark.parametrize(
    "options",
    [{"ntp_max_error_s": 0}, {"ntp_max_error_s": "1"}, {"ntp_max_error_s": True}, {"firmware_built": "yesterday"}],
)
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(BadDriverOption):
        SystemClock(**options)  # type: ignore[arg-type]
