"""Profile (R7), device.toml, the self-test's verdict (R8, R9) and the clock (invariant 10)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from camera_bench import POLICY, SECOND, sign_profile
from hypothesis import given
from hypothesis import strategies as st

from device.config import load_settings
from device.errors import ProfileRefused
from device.policy import CHECKS, DEFAULT_SEVERITY, Profile
from device.profile import BUILT_IN, AcceptedProfile, load_profile, parse_profile
from device.selftest import Seen, run
from device.timekeeping import ClockWatch, GnssWatch, stamp_now, utc_ns_at
from evidence import cms
from evidence.keys import FileSigner
from evidence.settings import BadSettings
from evidence.trust import Trust
from hal.clock import TimeSource, UtcClaim
from hal.gps import GpsEpoch


@pytest.fixture(scope="module")
def trust(pki: Path) -> Trust:
    return Trust.load(pki / "root.pem")


def signed(pki: Path, role: str = "profile", **changes: Any) -> bytes:
    return sign_profile(pki, {**POLICY, **changes}, role)


# --- the profile ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R7")
def test_a_signed_profile_is_followed_and_kept(pki: Path, trust: Trust, tmp_path: Path) -> None:
    offered, kept = tmp_path / "offered", tmp_path / "kept"
    offered.write_bytes(signed(pki, pre_event_s=7))
    profile, complaints = load_profile(offered, kept, trust)
    assert not complaints
    assert profile.profile.pre_event_s == 7
    assert kept.read_bytes() == offered.read_bytes()


@pytest.mark.requirement("R7")
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda pki: b"", "refused"),
        (lambda pki: b'{"v":1}', "refused"),
        (lambda pki: signed(pki)[:-1], "refused"),
        (lambda pki: signed(pki)[:700], "refused"),
        (lambda pki: signed(pki) + b"\0", "refused"),
        (lambda pki: signed(pki, role="camera"), "refused"),
        (lambda pki: signed(pki, role="station-receipt"), "refused"),
        (lambda pki: signed(pki, pre_evnt_s=3), "did you mean 'pre_event_s'"),
        (lambda pki: signed(pki, pre_event_s="3"), "refused"),
        (lambda pki: signed(pki, pre_event_s=10**6), "refused"),
        (lambda pki: signed(pki, severity={"batery": "note"}), "batery"),
        (lambda pki: bytes(300_000), "too large"),
    ],
)
def test_a_bad_profile_is_one_sentence_and_the_last_accepted_one_rules(
    pki: Path, trust: Trust, tmp_path: Path, change: Any, word: str
) -> None:
    offered, kept = tmp_path / "offered", tmp_path / "kept"
    kept.write_bytes(signed(pki, pre_event_s=9))
    offered.write_bytes(change(pki))
    profile, complaints = load_profile(offered, kept, trust)
    assert profile.profile.pre_event_s == 9
    assert len(complaints) == 1
    assert word in complaints[0]
    assert "\n" not in complaints[0]


@pytest.mark.requirement("R7")
def test_an_older_version_is_refused(pki: Path, trust: Trust, tmp_path: Path) -> None:
    offered, kept = tmp_path / "offered", tmp_path / "kept"
    kept.write_bytes(signed(pki, version=5))
    offered.write_bytes(signed(pki, version=4))
    profile, complaints = load_profile(offered, kept, trust)
    assert profile.profile.version == 5
    assert "older" in complaints[0]


@pytest.mark.requirement("R7")
def test_a_tampered_copy_is_not_followed(pki: Path, trust: Trust, tmp_path: Path) -> None:
    offered, kept = tmp_path / "offered", tmp_path / "kept"
    good = signed(pki, version=5)
    kept.write_bytes(good.replace(b'"version":5', b'"version":9'))
    offered.write_bytes(good)
    profile, complaints = load_profile(offered, kept, trust)
    assert profile.profile.version == 5
    assert len(complaints) == 1
    assert kept.read_bytes() == good


def test_without_any_profile_the_built_in_one_rules(trust: Trust, tmp_path: Path) -> None:
    profile, complaints = load_profile(tmp_path / "none", tmp_path / "neither", trust)
    assert profile is BUILT_IN
    assert "no policy profile" in complaints[0]


def test_a_profile_rules_even_if_its_copy_cannot_be_kept(pki: Path, trust: Trust, tmp_path: Path) -> None:
    offered = tmp_path / "offered"
    offered.write_bytes(signed(pki, pre_event_s=7))
    profile, complaints = load_profile(offered, offered / "no directory" / "kept", trust)
    assert profile.profile.pre_event_s == 7
    assert complaints


@pytest.mark.requirement("R7")
def test_another_agencys_profile_is_refused(pki: Path, tmp_path: Path) -> None:
    from fleet.ca import create_agency

    create_agency(tmp_path / "other")
    with pytest.raises(ProfileRefused):
        parse_profile(signed(pki), Trust.load(tmp_path / "other" / "root.pem"))


# --- device.toml ------------------------------------------------------------------------------------------------------

GOOD = """
serial = "SIM-0001"
model = "bench"
spool = "spool"
state = "state"
socket = "dev.sock"
profile = "profile.p7s"
[keys]
root = "root.pem"
evidence_key = "camera.key"
evidence_chain = "camera.pem"
vault = ["vault.pem"]
[camera]
driver = "simulated-scene"
[switches]
driver = "gpiozero"
[indicators]
driver = "gpiozero"
[inputs.record_button]
kind = "record_button"
"""


def load(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "device.toml"
    path.write_text(text)
    return load_settings(path)


def test_paths_are_relative_to_the_settings_file(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    assert settings.spool == str(tmp_path / "spool")
    assert settings.keys.vault == [str(tmp_path / "vault.pem")]


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("spool =", "spol =", "did you mean 'spool'"),
        ("driver = ", "drivr = ", "did you mean 'driver'"),
        ('kind = "record_button"', 'kind = "trigger"', "record_button"),
        ('kind = "record_button"', 'kind = "button"', "button"),
        ("SIM-0001", "sim 1", "serial"),
        ('model = "bench"\n', "", "model"),
        ("[camera]", "[camera", "TOML"),
    ],
)
def test_wrong_settings_are_one_sentence_that_helps(tmp_path: Path, old: str, new: str, word: str) -> None:
    assert old in GOOD
    with pytest.raises(BadSettings) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert word in str(caught.value)
    assert "device.toml" in str(caught.value)


# --- the self-test ----------------------------------------------------------------------------------------------------


def verdict(outcomes: dict[str, Any], severity: dict[str, Any] | None = None) -> tuple[str, dict[str, str]]:
    policy = AcceptedProfile(Profile(v=1, name="x", version=1, severity=severity or {}), "0" * 64)
    checks = [(name, lambda name=name: Seen(outcomes.get(name, "pass"), "v", "l")) for name in CHECKS]
    test = run(checks, policy)
    return test.verdict, {one.name: one.result for one in test.results}


@pytest.mark.requirement("R8")
def test_every_check_has_a_default() -> None:
    assert set(DEFAULT_SEVERITY) == set(CHECKS)
    assert verdict({}) == ("pass", dict.fromkeys(CHECKS, "pass"))


@pytest.mark.requirement("R8", "R9")
@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("outcome", ["fail", "not_present"])
def test_a_failed_check_does_what_the_table_says(name: str, outcome: str) -> None:
    expected = {"block": "block", "warn": "warn", "note": "pass"}[DEFAULT_SEVERITY[name]]
    assert verdict({name: outcome})[0] == expected
    assert verdict({name: outcome}, {name: "note"})[0] == "pass"
    assert verdict({name: outcome}, {name: "warn"})[0] == "warn"
    assert verdict({name: outcome}, {name: "block"})[0] == "block"


@pytest.mark.requirement("R8")
def test_a_check_that_raises_has_failed_and_the_others_go_on() -> None:
    def broken() -> Seen:
        raise ZeroDivisionError("a driver's defect")

    test = run([("battery", broken), ("gps", lambda: Seen("pass", "", ""))], BUILT_IN)
    assert [one.result for one in test.results] == ["fail", "pass"]
    assert test.verdict == "block"
    assert "defect" in test.results[0].value


# --- the clock --------------------------------------------------------------------------------------------------------


class Clock:
    """A clock that says what it is told."""

    boot_id = "00000000-0000-4000-8000-000000000000"

    def __init__(self) -> None:
        self.now_ns = 0
        self.middle_ns = 1_700_000_000 * SECOND
        self.source: TimeSource = "ntp"

    def boottime_ns(self) -> int:
        return self.now_ns

    def utc(self) -> UtcClaim:
        return UtcClaim(self.middle_ns - 1000, self.middle_ns + 1000, self.source)

    def pass_s(self, seconds: float, jump_s: float = 0) -> None:
        self.now_ns += int(seconds * SECOND)
        self.middle_ns += int((seconds + jump_s) * SECOND)


def test_a_step_is_said_once_with_its_direction() -> None:
    clock = Clock()
    watch = ClockWatch(clock)
    causes = []
    for jump_s in (0, 0.2, 3600, 0, -3600, 0):
        clock.pass_s(1, jump_s)
        step = watch.look()
        causes.append(step.cause if step else None)
    assert causes == [None, None, "stepped_forward", None, "stepped_back", None]


def test_a_change_of_source_is_said() -> None:
    clock = Clock()
    watch = ClockWatch(clock)
    watch.look()
    clock.source = "none"
    step = watch.look()
    assert step is not None
    assert (step.before.utc.source, step.after.utc.source, step.cause) == ("ntp", "none", "source_changed")


@pytest.mark.requirement("R5")
def test_a_receiver_whose_time_goes_back_or_jumps_is_said_and_not_followed() -> None:
    clock = Clock()
    watch = GnssWatch(clock)
    utc = 1_700_000_000

    def look(at_s: int, utc_s: int | None) -> str | None:
        step = watch.look(GpsEpoch(at_s * SECOND, True, utc_ns=None if utc_s is None else utc_s * SECOND))
        return step.cause if step else None

    assert look(0, utc) is None
    assert look(1, utc + 1) is None
    assert look(2, None) is None, "no date is no claim"
    assert look(3, utc - 10) == "gnss_went_back"
    assert look(4, utc - 9) is None
    assert look(5, utc - 9 - 1024 * 7 * 86400) == "gnss_went_back", "a week roll-over"
    assert look(6, utc) == "gnss_jumped"


@given(st.integers(-(2**63), 2**63), st.integers(0, 2**62), st.integers(-(2**62), 2**62))
def test_any_clock_can_be_stamped(middle_ns: int, half_ns: int, at_ns: int) -> None:
    clock = Clock()
    clock.middle_ns = middle_ns
    stamp = stamp_now(clock)
    assert stamp.utc.earliest <= stamp.utc.latest
    assert utc_ns_at(clock, at_ns) >= 0


def test_a_signed_profile_that_is_not_utf8_is_refused_in_one_sentence(pki: Path) -> None:
    signer = FileSigner.load(pki / "profile.key", pki / "profile.pem")
    document = cms.sign(b'{"name":"\xff\xfe","v":1,"version":1}', signer, dt.datetime.now(dt.UTC))
    with pytest.raises(ProfileRefused, match="not JSON"):
        parse_profile(document, Trust.load(pki / "root.pem"))
