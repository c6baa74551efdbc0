"""Signed commands (R33): whose, for whom, how old, never twice; what unlocks evidence fails closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from people_bench import signed_command

from device.commands import FLOOR, Numbers, Received, check_command
from device.errors import CommandRefused
from evidence import durable
from evidence.statements import moment
from evidence.trust import Trust
from hal.clock import UtcClaim

NOW_NS = 1_800_000_000 * 10**9
CLOCK = UtcClaim(NOW_NS, NOW_NS + 10**6, "gnss")
NO_CLOCK = UtcClaim(0, 10**18, "none")
HOLD = {"recording": "SIM-0001-000001", "reason": "a court order"}
ASSIGN = {"officer": "4711", "identified_by": "rfid"}
SEIZE = {"custodian": "Sgt. Doe", "supervisor": "Lt. Roe"}


@pytest.fixture(scope="module")
def trust(pki: Path) -> Trust:
    return Trust.load(pki / "root.pem")


def check(pki: Path, trust: Trust, kind: str, *, claim: UtcClaim = CLOCK, by: str = "supervisor", **fields: Any) -> Any:
    return check_command(signed_command(pki, kind, by=by, **fields), trust, "SIM-0001", claim)


@pytest.mark.requirement("R33")
@pytest.mark.parametrize(
    ("kind", "fields", "checkout_may"),
    [
        ("assign", ASSIGN, True),
        ("end_session", {}, True),
        ("hold", HOLD, True),
        ("release", HOLD, False),
        ("override", {"component": "gps", "supervisor": "Lt. Roe"}, False),
        ("critical_incident", {"phase": "begin", **SEIZE}, False),
        ("inspection", {"supervisor": "Lt. Roe"}, False),
        ("correct_officer", {**HOLD, "officer": "4712"}, False),
    ],
)
def test_the_check_out_desk_may_less_than_a_supervisor(
    pki: Path, trust: Trust, kind: str, fields: dict[str, Any], checkout_may: bool
) -> None:
    assert check(pki, trust, kind, **fields).signer == "SUP-1"
    if checkout_may:
        assert check(pki, trust, kind, by="checkout", **fields).signer == "STATION-1"
    else:
        with pytest.raises(CommandRefused, match=f"STATION-1 may not give {kind}"):
            check(pki, trust, kind, by="checkout", **fields)


@pytest.mark.requirement("R33")
@pytest.mark.parametrize("role", ["profile", "camera", "station-receipt"])
def test_a_certificate_of_another_role_commands_nothing(pki: Path, trust: Trust, role: str) -> None:
    with pytest.raises(CommandRefused, match="role, not command"):
        check(pki, trust, "hold", by=role, **HOLD)


def test_another_cameras_command_is_refused(pki: Path, trust: Trust) -> None:
    with pytest.raises(CommandRefused, match="for SIM-0002, this camera is SIM-0001"):
        check(pki, trust, "hold", serial="SIM-0002", **HOLD)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"{}",
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data.replace(b"a court order", b"a short order"),
        lambda data: data * 60,
    ],
)
def test_garbage_is_refused_with_one_sentence(pki: Path, trust: Trust, damage: Any) -> None:
    with pytest.raises(CommandRefused) as refused:
        check_command(damage(signed_command(pki, "hold", **HOLD)), trust, "SIM-0001", CLOCK)
    assert "\n" not in str(refused.value)


def test_a_day_that_does_not_exist_is_refused(pki: Path, trust: Trust) -> None:
    with pytest.raises(CommandRefused, match="day is out of range"):
        check(pki, trust, "assign", training_valid_until="2026-02-31", **ASSIGN)


def test_an_old_command_is_refused_by_a_camera_that_knows_the_time(pki: Path, trust: Trust) -> None:
    past, later = moment(NOW_NS - 10**9), moment(NOW_NS + 10**9)
    assert check(pki, trust, "hold", valid_until=later, **HOLD)
    with pytest.raises(CommandRefused, match="have a new one"):
        check(pki, trust, "hold", valid_until=past, **HOLD)


def test_without_a_clock_what_protects_is_taken_and_what_unlocks_is_not(pki: Path, trust: Trust) -> None:
    until = moment(NOW_NS)
    assert check(pki, trust, "hold", claim=NO_CLOCK, valid_until=until, **HOLD)
    assert check(pki, trust, "critical_incident", claim=NO_CLOCK, valid_until=until, phase="begin", **SEIZE)
    for kind, fields in (("release", HOLD), ("critical_incident", {"phase": "end", **SEIZE})):
        with pytest.raises(CommandRefused, match="does not know the time"):
            check(pki, trust, kind, claim=NO_CLOCK, valid_until=until, **fields)


# --- never twice ------------------------------------------------------------------------------------------------------


def received(pki: Path, trust: Trust, kind: str, sequence: int, **fields: Any) -> Received:
    found: Received = check(pki, trust, kind, sequence=sequence, **fields)
    return found


def numbers(path: Path) -> Numbers:
    made = Numbers(path / "state" / "commands.json")
    made.load()
    return made


def test_a_replay_is_refused_also_after_a_restart(pki: Path, trust: Trust, tmp_path: Path) -> None:
    first = received(pki, trust, "hold", 10, **HOLD)
    numbers(tmp_path).take(first)
    again = numbers(tmp_path)
    for old in (first, received(pki, trust, "release", 9, **HOLD)):
        with pytest.raises(CommandRefused, match="not above 10"):
            again.take(old)
    again.take(received(pki, trust, "release", 11, **HOLD))
    again.take(received(pki, trust, "assign", 5, by="checkout", **ASSIGN))  # each signer counts alone


def test_a_card_that_takes_nothing_lets_a_hold_through_but_no_release(
    pki: Path, trust: Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = numbers(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "replace", full)
    kept.take(received(pki, trust, "hold", 1, **HOLD))
    with pytest.raises(CommandRefused, match="cannot be kept: No space left"):
        kept.take(received(pki, trust, "release", 2, **HOLD))


def test_when_the_numbers_are_lost_nothing_unlocks_before_a_newer_command(
    pki: Path, trust: Trust, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "commands.json"
    path.parent.mkdir()
    path.write_bytes(b"\xff\0")
    kept = numbers(tmp_path)
    assert kept.lost is not None
    with pytest.raises(CommandRefused, match="could come again"):
        kept.take(received(pki, trust, "release", 7, **HOLD))
    kept.take(received(pki, trust, "hold", 20, **HOLD))
    with pytest.raises(CommandRefused, match="not above 20"):
        kept.take(received(pki, trust, "assign", 19, by="checkout", **ASSIGN))
    kept.take(received(pki, trust, "release", 21, **HOLD))
    assert numbers(tmp_path)._largest[FLOOR] == 20
