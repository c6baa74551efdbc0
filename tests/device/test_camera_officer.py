"""The officer's hands on the real daemon: stop with a reason, mute, sleep, stealth, categories, messages, crash."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from camera_bench import (
    AMBER,
    GREEN,
    HAPTIC,
    LIGHTBAR,
    PURSUIT,
    RED,
    SECOND,
    CameraBench,
    GpsLine,
    boottime_ns,
    metadata,
    statements,
    until,
    watch,
)
from fair_time import FairTime

from device.kept_privacy import Kept, load
from evidence import cms
from evidence.handover import Done, PeerStart, Refused, decode_peer_start
from evidence.keys import FileSigner
from evidence.requests import PeerRequest, StopReasonRequest, TriggerRequest, UpdateRequest
from evidence.statements import Utc, encode_canonical, moment
from simulator.nmea import sentence

Make = Callable[..., CameraBench]
FUNCTION = 25
LINES = {
    "record_button": {"pin": 17},
    "emergency": {"pin": 24},
    "function": {"pin": FUNCTION},
    "lightbar": {"pin": LIGHTBAR},
    "pursuit": {"pin": PURSUIT},
    "dock": {"pin": 23},
}
INPUTS: dict[str, Any] = {
    "record_button": {"kind": "record_button"},
    "emergency": {"kind": "emergency_button"},
    "function": {"kind": "function_button"},
    "lightbar": {"kind": "light_bar", "starts": "peers", "category": "traffic_stop"},
    "pursuit": {"kind": "pursuit"},
    "weapon": {"kind": "weapon", "source": "message"},
    "peer": {"kind": "peer", "source": "message"},
    "crash": {"kind": "crash", "source": "sensor"},
    "speeding": {"kind": "speed", "source": "sensor"},
    "dock": {"kind": "dock"},
}


@pytest.fixture
def camera(bench: Make) -> CameraBench:
    return equip(bench)


def equip(bench: Make, gps: GpsLine | None = None, clock: dict[str, Any] | None = None, **policy: Any) -> CameraBench:
    values = {"pre_event_s": 2, "min_free_mib": 1, "speed_trigger_kmh": 100, "confirm_stop_s": 5, "stop_reason_s": 4}
    camera = bench(
        policy={"v": 1, "name": "officer", "version": 1, "keep_after_receipt_h": 0, **values, **policy},
        extra={
            "switches": {"driver": "gpiozero", "options": {"lines": LINES}},
            "inputs": INPUTS,
        },
        motion=True,
        gps=gps,
        clock=clock,
    )
    return camera.start()


def state(camera: CameraBench, wanted: str) -> None:
    until(lambda: camera.status().state == wanted, what=wanted)


def stop(camera: CameraBench) -> None:
    """Hold, and confirm by one press."""
    camera.press(seconds=3.15)
    state(camera, "confirming_stop")
    camera.press()
    state(camera, "stating_reason")


@pytest.mark.requirement("R24", "R25", "R26", "R27", "R28")
def test_a_confirmed_stop_with_a_reason_is_in_the_evidence_and_the_next_recording_names_it(
    camera: CameraBench, pki: Path
) -> None:
    stem = camera.double_press()
    stop(camera)
    assert camera.ask(StopReasonRequest(code="telephone", supervisor="not_possible")) == Done()
    camera.wait("recording_closed")
    camera.verify(stem)
    closing = metadata(camera.path(stem), pki)[-1]
    assert closing["stop_reason"]["code"] == "telephone"
    assert closing["stop_reason"]["supervisor"] == "not_possible"
    assert closing["stop_reason_missing"] is False
    following = camera.double_press()
    opening = until(lambda: metadata(camera.path(following), pki), what="the next opening")[0]
    assert opening["after_pause"]["recording"] == stem
    assert opening["after_pause"]["reason"] == "telephone"


@pytest.mark.requirement("R22", "R26")
def test_nobody_confirms_and_it_records_on_and_without_a_reason_it_is_flagged(camera: CameraBench, pki: Path) -> None:
    stem = camera.double_press()
    camera.press(seconds=3.15)
    state(camera, "confirming_stop")
    state(camera, "recording")
    stop(camera)
    camera.wait("recording_closed")
    camera.verify(stem)
    assert metadata(camera.path(stem), pki)[-1]["stop_reason_missing"] is True
    camera.stop()
    assert [word for event, word, _ in camera.events() if event == "stop_reason"] == ["reason_missing"]


@pytest.mark.requirement("R24")
def test_a_held_function_button_mutes_and_both_ends_are_in_the_evidence(camera: CameraBench, pki: Path) -> None:
    stem = camera.double_press()
    camera.fragments(1)
    pressed_ns = boottime_ns()
    camera.press(FUNCTION, seconds=4.5)
    released_ns = boottime_ns()
    camera.wait("muted", "off")
    camera.fragments(1)
    camera.stop()
    report = camera.verify(stem)
    closing = metadata(camera.path(stem), pki)[-1]
    ((from_ns, to_ns),) = closing["mutes"]
    assert to_ns - from_ns > 1_000_000_000
    assert pressed_ns + 3 * SECOND <= from_ns
    assert to_ns <= released_ns, "no longer than it was held"
    assert ["muted", 1] in [row[1:] for row in closing["timeline"]]
    assert report.frames > 0


@pytest.mark.requirement("R13", "R24")
def test_sleep_is_dark_and_deaf_until_two_presses_or_a_pursuit(camera: CameraBench, pki: Path) -> None:
    camera.press(FUNCTION, seconds=3.15)
    camera.press(FUNCTION)
    state(camera, "sleep")
    until(lambda: camera.status().buffered_s == 0, what="no ring")
    camera.line(LIGHTBAR, active=True)
    camera.wait("suppressed", "lightbar")
    stem = camera.trigger(PURSUIT)
    camera.fragments(1)
    opening = metadata(camera.path(stem), pki)[0]
    assert opening["ring"]["available_ms"] < 1000, "there was no ring, and the evidence says so"
    camera.stop()
    events = camera.events()
    assert ("suppressed", "asleep", None) in events
    assert ("state", "sleep", None) in events


@pytest.mark.requirement("R4", "R21")
def test_stealth_is_dark_and_records_on(camera: CameraBench) -> None:
    with watch(camera) as seen:
        camera.double_press()
        camera.press(FUNCTION, times=2)
        dark_ns = camera.wait("stealth", "on").mono_ns  # told when all is off
        until(lambda: [one for one in list(seen) if one["pin"] == RED and one["level"] == 0], what="dark")
        camera.fragments(3)
        lit = [one for one in list(seen) if one["pin"] in (RED, GREEN, AMBER, HAPTIC) and one["level"] > 0]
    assert not [one for one in lit if one["at_ns"] > dark_ns]
    assert camera.status().recording is not None


@pytest.mark.requirement("R31", "R20")
def test_presets_and_the_wheel_label_recordings_in_the_log(camera: CameraBench) -> None:
    camera.trigger(LIGHTBAR)
    stop(camera)
    assert camera.ask(StopReasonRequest(code="interaction_ended")) == Done()
    camera.wait("recording_closed")
    camera.press(FUNCTION)
    camera.wait("category_wheel", "arrest_search")
    camera.press(FUNCTION)
    camera.wait("category_wheel", "closed")
    camera.stop()
    labels = [(word, number) for event, word, number in camera.events() if event == "labelled"]
    assert labels[0] == ("traffic_stop", 1)
    assert labels[-1][0] in ("arrest_search", "use_of_force"), "the second press may have come as one of a pair"


@pytest.mark.requirement("R18")
def test_a_weapon_message_and_a_crash_start_critical_recordings(camera: CameraBench) -> None:
    assert isinstance(camera.ask(TriggerRequest(name="wepon")), Refused)
    seen = len(camera.notices)
    assert camera.ask(TriggerRequest(name="weapon")) == Done()
    stem = camera.opened(seen)
    stop(camera)
    camera.ask(StopReasonRequest(code="interaction_ended"))
    camera.wait("recording_closed")
    seen = len(camera.notices)
    camera.world({"op": "motion", "x_mg": 9000, "y_mg": 1000, "z_mg": 0, "for_s": 2})
    crash = camera.opened(seen)
    for one in (stem, crash):
        assert statements(camera.path(one))[0].upload_class == "critical"  # type: ignore[union-attr]


@pytest.mark.requirement("R14")
def test_speed_starts_and_stands_in_the_timeline(bench: Make, pki: Path) -> None:
    line = GpsLine()
    camera = equip(bench, line)
    seen, driving = len(camera.notices), threading.Event()

    def drive() -> None:
        for second in range(60):
            clock = f"1200{second:02}.00"
            line.say(sentence(f"GPRMC,{clock},A,4130.0000,N,07240.0000,W,76.0,90.0,221126,,,A").encode() + b"\r\n")
            line.say(sentence(f"GPGGA,{clock},4130.0000,N,07240.0000,W,1,08,0.9,50.0,M,-33.4,M,,").encode() + b"\r\n")
            if driving.wait(1):
                return

    thread = threading.Thread(target=drive)
    thread.start()
    try:
        stem = camera.opened(seen)
        camera.fragments(2)
    finally:
        driving.set()
        thread.join()
    camera.stop()
    opening, closing = (metadata(camera.path(stem), pki)[at] for at in (0, -1))
    assert [one["name"] for one in closing["triggers"]] == ["speeding"]
    speeds = [row[2] for row in (*opening["timeline"], *closing["timeline"]) if row[1] == "speed_kmh"]
    assert set(speeds) == {141}, "76 knots"


def announcement(pki: Path, name: str, **fields: Any) -> bytes:
    now_ns = time.time_ns()
    utc = Utc(earliest=moment(now_ns), latest=moment(now_ns), source="gnss")
    values = {"serial": "SIM-0002", "incident": "SIM-0002-000042", "nonce": secrets.token_hex(16), "utc": utc, **fields}
    signer = FileSigner.load(pki / f"{name}.key", pki / f"{name}.pem")
    return cms.sign(encode_canonical(PeerStart(v=1, **values)), signer, dt.datetime.now(dt.UTC))


@pytest.mark.requirement("R23")
def test_a_start_is_announced_signed_and_a_peers_is_taken_once(camera: CameraBench, pki: Path) -> None:
    good = announcement(pki, "camera-2")
    assert camera.ask(PeerRequest(announcement=good)) == Done()
    stem = camera.wait("recording_opened", "peer").recording
    assert stem is not None
    camera.fragments(1)
    old = moment(time.time_ns() - 60 * SECOND)
    for bad, why in (
        (good, "taken before"),
        (good[:-40], ""),
        (announcement(pki, "camera"), "signed by SIM-0001"),
        (announcement(pki, "station-receipt"), ""),
        (announcement(pki, "camera", serial="SIM-0001"), "own"),
        (announcement(pki, "camera-2", utc=Utc(earliest=old, latest=old, source="gnss")), "minute"),
    ):
        refused = camera.ask(PeerRequest(announcement=bad))
        assert isinstance(refused, Refused)
        assert why in refused.error
    assert metadata(camera.path(stem), pki)[0]["incident"] == "SIM-0002-000042"
    camera.press(seconds=3.15)
    state(camera, "confirming_stop")
    camera.press()
    assert camera.wait("recording_closed").word in ("record_button", "false_activation"), "late, or within ten seconds"
    seen = len(camera.notices)
    own = camera.trigger(LIGHTBAR)
    notice = camera.wait("peer_start", since=seen)
    signed = cms.parse_signed(base64.b64decode(notice.word or ""))
    camera.trust.check(signed, role="camera", serial="SIM-0001")
    assert decode_peer_start(signed.payload).incident == own


@pytest.mark.requirement("R13")
def test_a_start_aborts_an_update(camera: CameraBench, fair: FairTime) -> None:
    refused = camera.ask(UpdateRequest(phase="began"))
    assert isinstance(refused, Refused)
    assert "docked" in refused.error
    camera.line(23, active=True)
    state(camera, "docked")
    assert camera.ask(UpdateRequest(phase="began")) == Done()
    pressed_ns = boottime_ns()
    camera.double_press()
    assert fair.own_s(pressed_ns, camera.wait("update_aborted").mono_ns) < 10
    assert camera.status().state == "recording"


@pytest.mark.requirement("R4", "R24", "R28")
def test_sleep_stealth_and_a_pause_outlive_a_crash_of_the_daemon_but_not_another_boot(bench: Make) -> None:
    boot = "11111111-2222-3333-4444-555555555555"
    camera = equip(bench, clock={"boot_id": boot})
    stem = camera.double_press()
    camera.press(FUNCTION, times=2)
    camera.wait("stealth", "on")
    stop(camera)
    camera.ask(StopReasonRequest(code="strip_search"))
    camera.wait("category_wheel", "closed")
    camera.press(FUNCTION, seconds=3.15)
    time.sleep(0.3)
    camera.press(FUNCTION)
    state(camera, "sleep")
    until(lambda: b'"asleep":true' in (camera.state / "privacy.json").read_bytes(), what="kept")
    camera.kill()
    camera.start(ready=False)
    state(camera, "sleep")
    kept = msgspec.json.decode((camera.state / "privacy.json").read_bytes())
    assert kept["stealth"] is True
    assert kept["pause"]["recording"] == stem
    assert camera.status().buffered_s == 0
    camera.kill()
    kept["boot"] = "another"
    (camera.state / "privacy.json").write_bytes(msgspec.json.encode(kept))
    camera.start(ready=False)
    state(camera, "ready")


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 5000, b'{"v":1,"boot":5}', b"\xff" * 10])
def test_a_broken_note_of_privacy_begins_awake_r24(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "privacy.json"
    path.write_bytes(content)
    assert load(path, "b") == Kept(boot="b")
