"""The self-test's checks, each by itself: what is measured goes in, and the row comes out (R8, R30, R39, R41)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from pathlib import Path
from typing import Any

import pytest

from device.clock_check import judge_clock
from device.config import Input
from device.firmware_check import judge_firmware
from device.history_checks import judge_backlog
from device.key_checks import judge_key, judge_vault
from device.line_check import judge_lines, lines_of
from device.policy import DEFAULT_SEVERITY, Profile
from device.profile import BUILT_IN, AcceptedProfile
from device.selftest import Seen, rate, run, with_row
from device.storage_check import Need, judge_storage, judge_wear, probe_often
from evidence import cms
from evidence.handover import SpoolFile
from evidence.keys import FileSigner
from evidence.release import Release
from evidence.sealed import Recipient
from evidence.statements import CameraFacts, encode_canonical
from evidence.trust import Trust
from fleet.ca import Authority, Validity
from hal.clock import UtcClaim
from hal.rtc import Rtc, find_rtc
from hal.storage import StorageProbe
from hal.storage_health import StorageHealth, health_of, read_health

MIB, SECOND = 2**20, 10**9
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


def claim(now: dt.datetime = NOW, source: Any = "ntp") -> UtcClaim:
    at_ns = int(now.timestamp()) * SECOND
    return UtcClaim(at_ns - 5_000_000, at_ns + 5_000_000, source)


# --- the engine -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R8")
def test_checks_that_wait_wait_side_by_side() -> None:
    together = threading.Barrier(6)

    def waits() -> Seen:
        together.wait(60)  # raises unless all six are inside at the same time
        return Seen("pass", "", "")

    names = ("sensor", "encoder", "gps", "microphone", "battery", "picture")
    test = run([(name, waits) for name in names], BUILT_IN, limit_s=60)
    assert {one.result for one in test.results} == {"pass"}


@pytest.mark.requirement("R8")
def test_a_check_that_hangs_has_failed_and_keeps_nobody_waiting() -> None:
    for_ever = threading.Event()

    def hangs() -> Seen:
        for_ever.wait(120)
        return Seen("pass", "", "")

    test = run([("battery", hangs), ("gps", lambda: Seen("pass", "a fix", ""))], BUILT_IN, limit_s=3)
    for_ever.set()
    assert [(one.name, one.result, one.value) for one in test.results] == [
        ("battery", "fail", "no answer"),
        ("gps", "pass", "a fix"),
    ]
    assert test.verdict == "block"


def test_rows_stand_in_the_order_of_the_signed_table() -> None:
    names = ("gps", "sensor", "storage", "encoder")
    test = run([(name, lambda: Seen("pass", "", "")) for name in names], BUILT_IN)
    assert [one.name for one in test.results] == ["sensor", "encoder", "storage", "gps"]


@pytest.mark.requirement("R9")
@pytest.mark.parametrize("severity", ["block", "warn", "note"])
def test_what_works_but_not_for_long_never_blocks(severity: Any) -> None:
    policy = AcceptedProfile(Profile(v=1, name="x", version=1, severity={"signing_key": severity}), "0" * 64)
    test = run([("signing_key", lambda: Seen("warn", "ends in 3 days", ""))], policy)
    assert test.results[0].result == ("note" if severity == "note" else "warn")
    assert test.verdict == ("pass" if severity == "note" else "warn")


@pytest.mark.parametrize("name", list(DEFAULT_SEVERITY))
def test_what_this_camera_need_not_have_is_not_present_and_no_failure(name: str) -> None:
    test = run([(name, lambda: Seen("not_present", "a body camera", "", expected=False))], BUILT_IN)
    assert test.results[0].result == "not_present"
    assert test.verdict == "pass"


def test_a_row_that_comes_later_changes_the_verdict_and_replaces_its_like() -> None:
    test = run([("gps", lambda: Seen("pass", "", ""))], BUILT_IN)
    worse = with_row(test, rate("storage", Seen("fail", "", ""), "block", 3))
    assert worse.verdict == "block"
    better = with_row(worse, rate("storage", Seen("pass", "", ""), "block", 3))
    assert better.verdict == "pass"
    assert [one.name for one in better.results] == ["gps", "storage"]


# --- the card ---------------------------------------------------------------------------------------------------------

GOOD_CARD = StorageProbe(20 * MIB, True, 3, 10_000 * MIB, 30_000 * MIB)
NEED = Need(min_free_mib=512, alarm_free_min=60, shift_h=0, bitrate=8_000_000, top_bitrate=8_000_000)


def test_the_storage_row_says_room_speed_and_hours() -> None:
    seen = judge_storage(GOOD_CARD, None, NEED)
    assert seen.outcome == "pass"
    assert "10000 MiB free" in seen.value
    assert "2.9 h at 8.0 Mbit/s" in seen.value
    assert "20.0 MiB/s" in seen.value


@pytest.mark.requirement("R8", "R30")
@pytest.mark.parametrize(
    ("probe", "health", "need", "read_only", "outcome", "words"),
    [
        ({}, None, {}, True, "fail", "read-only"),
        ({"error": "the card is full", "read_ok": False}, None, {}, False, "fail", "full"),
        ({"read_ok": False}, None, {}, False, "fail", "other bytes"),
        ({"free_bytes": 100 * MIB}, None, {}, False, "fail", "100 MiB"),
        ({"write_bytes_per_s": 1_900_000}, None, {}, False, "fail", "1.8 MiB/s"),  # under twice 8 Mbit/s
        ({"write_bytes_per_s": 2_100_000}, None, {}, False, "pass", "2.0 MiB/s"),
        ({"write_bytes_per_s": 2_100_000}, None, {"bitrate": 2_000_000}, False, "pass", ""),
        ({"write_bytes_per_s": 1_900_000}, None, {"bitrate": 2_000_000}, False, "fail", ""),  # the scene is only calm
        ({}, StorageHealth("mmcblk0", errors=4), {}, False, "warn", "4 file-system errors"),
        ({}, None, {"shift_h": 4}, False, "warn", "2.9 h"),
        ({"free_bytes": 600 * MIB}, None, {"alarm_free_min": 60}, False, "warn", "10 min"),
        ({}, None, {"bitrate": None, "top_bitrate": None, "shift_h": 10}, False, "pass", "10000 MiB"),
    ],
)
def test_a_card_that_cannot_take_the_shift_is_told(
    probe: dict[str, Any],
    health: StorageHealth | None,
    need: dict[str, Any],
    read_only: bool,
    outcome: str,
    words: str,
) -> None:
    card, wanted = dataclasses.replace(GOOD_CARD, **probe), dataclasses.replace(NEED, **need)
    seen = judge_storage(card, health, wanted, read_only=read_only)
    assert seen.outcome == outcome, seen
    assert words in seen.value
    assert seen.advice or outcome == "pass"


def test_many_probes_are_one_result_and_a_recording_ends_them() -> None:
    speeds = iter([10 * MIB, 30 * MIB, 10 * MIB, 30 * MIB])
    made: list[StorageProbe] = []

    def probe() -> StorageProbe:
        made.append(dataclasses.replace(GOOD_CARD, write_bytes_per_s=next(speeds), flush_ms=7 - len(made)))
        return made[-1]

    whole = probe_often(probe, 2, lambda: False)
    assert (whole.write_bytes_per_s, whole.flush_ms) == (15 * MIB, 7), "twice as many bytes at a third of the speed"
    assert probe_often(probe, 32, lambda: len(made) == 3).write_bytes_per_s == 10 * MIB
    broken = dataclasses.replace(GOOD_CARD, read_ok=False)
    failing = iter([GOOD_CARD, broken])
    assert probe_often(lambda: next(failing), 32, lambda: False).read_ok is False


@pytest.mark.parametrize(
    ("life", "spare", "outcome", "words"),
    [
        (10, "normal", "pass", "at most 10 %"),
        (80, "normal", "pass", "80 %"),
        (90, "normal", "warn", "90 %"),
        (110, "normal", "fail", "beyond its life"),
        (10, "warning", "warn", "spare blocks warning"),
        (None, "urgent", "fail", "urgent"),
        (None, None, "not_present", "does not say"),
    ],
)
def test_a_worn_card_is_told_before_it_fails(life: int | None, spare: Any, outcome: str, words: str) -> None:
    seen = judge_wear(StorageHealth("mmcblk0", life, spare))
    assert (seen.outcome, seen.expected) == (outcome, outcome != "not_present")
    assert words in seen.value


def sysfs(root: Path, **files: str) -> Path:
    """An eMMC with two partitions, as /sys shows it; mmcblk0p2 has the number 179:2."""
    disk = root / "devices/mmc0/block/mmcblk0"
    (disk / "mmcblk0p2").mkdir(parents=True)
    (disk / "mmcblk0p2/partition").write_text("2\n")
    (disk / "device").mkdir()
    (root / "dev/block").mkdir(parents=True)
    (root / "dev/block/179:2").symlink_to(disk / "mmcblk0p2")
    (root / "fs/ext4/mmcblk0p2").mkdir(parents=True)
    for name, text in files.items():
        directory = root / "fs/ext4/mmcblk0p2" if name == "errors_count" else disk / "device"
        (directory / name).write_text(text)
    return root


def test_an_emmc_tells_its_own_wear_and_ext4_its_errors(tmp_path: Path) -> None:
    root = sysfs(tmp_path, life_time="0x02 0x05\n", pre_eol_info="0x01\n", errors_count="3\n")
    assert health_of("179:2", root) == StorageHealth("mmcblk0", 50, "normal", 3)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, StorageHealth("mmcblk0")),  # an SD card has no such registers
        ({"life_time": "0x00 0x00", "pre_eol_info": "0x00"}, StorageHealth("mmcblk0")),
        ({"life_time": "0x0b 0x01"}, StorageHealth("mmcblk0", 110)),
        ({"life_time": "garbage \0", "pre_eol_info": "-1", "errors_count": "x"}, StorageHealth("mmcblk0")),
        ({"life_time": "0xff", "pre_eol_info": "0x03"}, StorageHealth("mmcblk0", None, "urgent")),
    ],
)
def test_what_the_kernel_does_not_say_is_not_guessed(
    tmp_path: Path, files: dict[str, str], expected: StorageHealth
) -> None:
    assert health_of("179:2", sysfs(tmp_path, **files)) == expected


def test_the_disk_under_a_mapped_device_is_found(tmp_path: Path) -> None:
    root = sysfs(tmp_path, life_time="0x03 0x01")
    mapped = root / "devices/virtual/block/dm-0"
    (mapped / "slaves").mkdir(parents=True)
    (mapped / "slaves/mmcblk0p2").symlink_to(root / "devices/mmc0/block/mmcblk0/mmcblk0p2")
    (root / "dev/block/254:0").symlink_to(mapped)
    assert health_of("254:0", root) == StorageHealth("mmcblk0", 30)


@pytest.mark.parametrize(
    ("files", "card"),
    [
        ({"type": "SD", "name": "SN64G", "date": "04/2023"}, "SD card SN64G of 2023-04"),
        ({"type": "MMC", "name": "BJTD4R", "date": "11/2024"}, "eMMC BJTD4R of 2024-11"),
        ({"type": "SD", "name": "SN64G", "date": "soon"}, "SD card SN64G"),
        ({"type": "SDIO", "name": "wireless", "date": "04/2023"}, None),
        ({"type": "SD", "name": "\x01\x02"}, None),
    ],
)
def test_a_card_says_its_name_and_when_it_was_made(tmp_path: Path, files: dict[str, str], card: str | None) -> None:
    health = health_of("179:2", sysfs(tmp_path, **files))
    assert health.card == card
    assert ("SN64G" in judge_wear(health).value) == ("SN64G" in (card or ""))


def test_a_file_system_in_memory_has_no_health(tmp_path: Path) -> None:
    assert health_of("0:42", tmp_path) == StorageHealth(None)
    assert read_health(tmp_path, tmp_path / "no-sysfs") == StorageHealth(None)


# --- keys, clock, firmware --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> Authority:
    span = Validity(NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=3650))
    return Authority("Bench Police Department", simulated=True, validity=span)


def signer(authority: Authority, days: int, role: Any = "camera") -> FileSigner:
    span = Validity(NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=days))
    made = authority.signer(role, "cam", serial="SIM-0001", validity=span)
    return FileSigner(made.key, made.chain)


@pytest.mark.requirement("R8", "R41")
@pytest.mark.parametrize(("days", "outcome"), [(400, "pass"), (31, "pass"), (29, "warn"), (1, "warn"), (0, "fail")])
def test_a_certificate_that_ends_soon_warns_a_month_before(authority: Authority, days: int, outcome: str) -> None:
    later = NOW + dt.timedelta(minutes=1) if days == 0 else NOW
    seen = judge_key(signer(authority, days), Trust(authority.root.certificate), "SIM-0001", claim(later))
    assert seen.outcome == outcome, seen
    if outcome != "fail":
        assert f"{days} days" in seen.value


def test_another_cameras_or_agencys_key_fails(authority: Authority) -> None:
    trust = Trust(authority.root.certificate)
    assert judge_key(signer(authority, 400), trust, "SIM-0002", claim()).outcome == "fail"
    assert judge_key(signer(authority, 400, "profile"), trust, "SIM-0001", claim()).outcome == "fail"


def test_a_dead_clock_judges_no_certificate(authority: Authority) -> None:
    dead = claim(dt.datetime(1970, 1, 2, tzinfo=dt.UTC), "none")
    seen = judge_key(signer(authority, 400), Trust(authority.root.certificate), "SIM-0001", dead)
    assert seen.outcome == "pass"
    assert "unknown" in seen.value


def test_vault_certificates_are_counted_in_days_and_held_against_the_policy(authority: Authority) -> None:
    vault = Recipient.of(authority.vault("vault").certificate)
    policy = Profile(v=1, name="x", version=1, vault=(vault.sha256,))
    assert judge_vault(policy, [vault], claim()).outcome == "pass"
    near_end = claim(vault.certificate.not_valid_after_utc - dt.timedelta(days=10, hours=1))
    assert judge_vault(policy, [vault], near_end).outcome == "warn"
    assert "10 days" in judge_vault(policy, [vault], near_end).value
    other = Profile(v=1, name="x", version=1, vault=("0" * 64,))
    assert judge_vault(other, [vault], claim()).outcome == "fail"


def test_the_clock_row_says_source_interval_and_keeper() -> None:
    assert judge_clock(claim(), Rtc("rtc-ds3231")).value == "ntp, within 5 ms, RTC rtc-ds3231"
    assert judge_clock(claim(), None).value.endswith("no RTC")
    assert judge_clock(claim(source="none"), Rtc("rtc")).outcome == "fail"
    assert judge_clock(claim(), Rtc("rpi_rtc", 3_000_000)).outcome == "pass"
    assert judge_clock(claim(), Rtc("rpi_rtc", 1_900_000)).outcome == "warn"


def test_the_rtc_is_found_as_the_kernel_shows_it(tmp_path: Path) -> None:
    assert find_rtc(tmp_path) is None
    (tmp_path / "class/rtc/rtc0").mkdir(parents=True)
    (tmp_path / "class/rtc/rtc0/name").write_text("rpi_rtc soc:rpi_rtc\n")
    assert find_rtc(tmp_path) == Rtc("rpi_rtc")
    (tmp_path / "class/rtc/rtc0/battery_voltage").write_text("2970000\n")
    assert find_rtc(tmp_path) == Rtc("rpi_rtc", 2_970_000)


FACTS = CameraFacts(model="bench", firmware="1.2.3", firmware_sha256="ab" * 32)


@pytest.mark.requirement("R8", "R39")
@pytest.mark.parametrize(
    ("role", "version", "sha256", "outcome", "words"),
    [
        ("release", "1.2.3", "ab" * 32, "pass", "as released"),
        ("release", "1.2.4", "ab" * 32, "fail", "1.2.4"),
        ("release", "1.2.3", "cd" * 32, "fail", "cdcd"),
        ("camera", "1.2.3", "ab" * 32, "fail", "role"),
    ],
)
def test_the_running_code_is_held_against_the_signed_release(
    authority: Authority, tmp_path: Path, role: str, version: str, sha256: str, outcome: str, words: str
) -> None:
    release = Release(v=1, version=version, sha256=sha256)
    path = tmp_path / "release.p7s"
    path.write_bytes(cms.sign(encode_canonical(release), signer(authority, 400, role), NOW))
    seen = judge_firmware(FACTS, [tmp_path / "none", path], Trust(authority.root.certificate))
    assert seen.outcome == outcome, seen
    assert words in seen.value


@pytest.mark.parametrize("document", [b"", b"garbage", bytes(300_000)])
def test_a_manifest_that_is_none_fails_in_one_sentence(authority: Authority, tmp_path: Path, document: bytes) -> None:
    (tmp_path / "release.p7s").write_bytes(document)
    seen = judge_firmware(FACTS, [tmp_path / "release.p7s"], Trust(authority.root.certificate))
    assert seen.outcome == "fail"
    assert "\n" not in seen.value


def test_without_a_manifest_the_firmware_is_named_and_nothing_is_claimed(authority: Authority, tmp_path: Path) -> None:
    seen = judge_firmware(FACTS, [tmp_path / "none"], Trust(authority.root.certificate))
    assert (seen.outcome, seen.expected) == ("not_present", False)
    assert "1.2.3" in seen.value
    assert "abababab" in seen.value


# --- lines and backlog ------------------------------------------------------------------------------------------------

INPUTS = {
    "record_button": Input(kind="record_button"),
    "lightbar": Input(kind="light_bar"),
    "dock": Input(kind="dock"),
    "ignition": Input(kind="ignition"),
    "holster": Input(kind="holster", source="message"),
}
IDLE = dict.fromkeys(INPUTS, False)


@pytest.mark.requirement("R8")
@pytest.mark.parametrize(
    ("active", "timeline", "outcome", "words"),
    [
        ((), [], "pass", "lightbar idle"),
        (("dock", "ignition"), [], "pass", "ignition on"),
        (("record_button",), [], "fail", "record_button stuck active since the start"),
        (("record_button",), [[99 * SECOND, "record_button", 1]], "fail", "record_button active for 1 s"),
        (("record_button",), [[55 * SECOND, "record_button", 1]], "fail", "record_button stuck active for 45 s"),
        (("lightbar",), [[40 * SECOND, "lightbar", 1]], "fail", "lightbar stuck active for 60 s"),
        ((), [[(60 + n) * SECOND, "lightbar", n % 2] for n in range(30)], "fail", "lightbar chatters or is open: 30"),
        ((), [[n * SECOND, "lightbar", n % 2] for n in range(30)], "pass", "lightbar idle"),  # a minute ago
    ],
)
def test_each_line_is_named_with_what_it_does(
    active: tuple[str, ...], timeline: list[list[Any]], outcome: str, words: str
) -> None:
    lines = lines_of(INPUTS)
    seen = judge_lines(lines, {**IDLE, **dict.fromkeys(active, True)}, timeline, 100 * SECOND)
    assert seen.outcome == outcome, seen
    assert words in seen.value
    assert all(name in seen.value for name in lines)
    assert "holster" not in seen.value, "a message has no line"


def test_a_line_without_a_pin_is_named() -> None:
    seen = judge_lines(lines_of(INPUTS), IDLE, [], 0, unwired=["lightbar"])
    assert seen.outcome == "fail"
    assert seen.value.startswith("lightbar has no pin")


def test_a_line_that_cannot_be_read_is_named_and_hides_no_other() -> None:
    seen = judge_lines(lines_of(INPUTS), {**IDLE, "lightbar": True}, [], 0, unwired=["dock"], lost=["lightbar"])
    assert seen.outcome == "fail"
    assert "lightbar cannot be read" in seen.value
    assert "dock has no pin" in seen.value


def test_a_line_that_was_caught_bouncing_is_named_though_it_is_quiet_now() -> None:
    seen = judge_lines(lines_of(INPUTS), IDLE, [], 0, chattering=["lightbar", "holster"])
    assert seen.outcome == "fail"
    assert seen.value.startswith("lightbar chatters or is open")


def waiting(name: str, size: int, state: Any = "waiting", stream: Any = "recording") -> SpoolFile:
    return SpoolFile(
        name=name, stream=stream, number=1, bytes=size, close_hash="0" * 64, upload_class="normal", state=state
    )


@pytest.mark.requirement("R30")
def test_the_backlog_counts_recordings_without_a_receipt() -> None:
    files = [
        waiting("a", 30 * MIB),
        waiting("b", 10 * MIB),
        waiting("c", MIB, "receipted"),
        waiting("d", 1, "waiting", "log"),
    ]
    assert judge_backlog(files[2:], None, 72).value == "nothing waits"
    assert judge_backlog(files, 71 * 3600, 72).outcome == "pass"
    late = judge_backlog(files, 73 * 3600, 72)
    assert late.outcome == "fail"
    assert late.value == "2 recordings, 40 MiB, the oldest for 73.0 h"
