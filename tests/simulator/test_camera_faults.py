"""What a real camera does when picture, sound, key, peers and people go wrong: each fault's own sentence holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from camera_alone import Told, camera_that_records

from simulator.faults import catalogue
from simulator.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A camera that records."""
    with camera_that_records() as one:
        yield one


def over(world: World, *names: str) -> None:
    for name in names:
        world.faults.end(world, name)


@pytest.mark.requirement("R29")
def test_a_black_picture_and_a_silent_microphone_are_failures_with_an_end(world: World) -> None:
    recording, told = world.status.recording, Told(world)
    world.faults.begin(world, "camera.black")
    world.faults.begin(world, "microphone.silent")
    told.wait(("failure_began", "picture_black"), ("failure_began", "microphone_silent"), ("alarm", "picture_black"))
    over(world, "camera.black", "microphone.silent")
    world.faults.begin(world, "camera.drop_frames", 8)
    told.wait(("failure_ended", "picture_black"), ("failure_ended", "microphone_silent"), ("queue", "frames_lost"))
    assert world.status.recording == recording


@pytest.mark.requirement("R12")
def test_a_covered_lens_is_a_gentle_word_and_no_alarm(world: World) -> None:
    recording, told = world.status.recording, Told(world)
    world.faults.begin(world, "camera.covered")
    told.wait(("background_test", "picture_covered"))
    over(world, "camera.covered")
    assert not [word for event, word in told.words() if event == "alarm"]
    assert world.status.recording == recording


@pytest.mark.requirement("R23", "R31")
def test_what_nobody_of_ours_signed_or_knows_starts_and_labels_nothing(world: World) -> None:
    told = Told(world)
    world.faults.begin(world, "peer.forged")
    told.wait(("peer_start_refused", None))
    world.faults.begin(world, "peer.replayed")
    world.faults.begin(world, "category.unknown")
    world.look()
    assert not [event for event, _ in told.words() if event in ("peer_start_taken", "trigger", "labelled")]


@pytest.mark.requirement("R11")
def test_a_lost_camera_goes_on_recording_and_is_itself_again_afterwards(world: World) -> None:
    recording, told = world.status.recording, Told(world)
    world.faults.begin(world, "device.lost_lock")
    told.wait(("lock", "locked"))
    assert "custody" in world.look().do_not_use
    assert world.status.recording == recording
    over(world, "device.lost_lock")
    told.wait(("lock", "unlocked"))
    assert "custody" not in world.look().do_not_use


@pytest.mark.requirement("R29")
def test_a_key_that_does_not_sign_in_mid_recording_is_told_and_signs_again(world: World) -> None:
    recording, told = world.status.recording, Told(world)
    world.faults.begin(world, "key.failed")
    told.wait(("alarm", "signing_key"))
    over(world, "key.failed")
    told.wait(("failure_began", "signing_key"), ("failure_ended", "signing_key"))
    assert world.status.recording == recording


@pytest.mark.requirement("R29")
def test_a_camera_that_is_killed_goes_on_in_a_new_recording_and_its_lens_is_still_black(world: World) -> None:
    recording, told = world.status.recording, Told(world)
    world.faults.begin(world, "camera.black")
    world.faults.begin(world, "process.kill_device")
    told.wait(("recording_recovered", None), ("failure_began", "picture_black"))
    assert world.status.recording not in (None, recording)
    over(world, "camera.black")


def test_a_wired_microphone_has_no_radio_that_could_fail(world: World) -> None:
    with pytest.raises(Exception, match="wired"):
        world.faults.begin(world, "microphone.out_of_reach")
    assert "microphone.out_of_reach" not in world.faults.lasting


# --- the requirements' list -------------------------------------------------------------------------------------------

DEEDS = ("power cut", "press record button twice", "light bar on")
"""What a scenario does, and no fault has to."""
LISTED: dict[str, tuple[str, ...]] = {
    "power cut at any byte": ("power cut", "card.power_cut"),
    "card full": ("card.full",),
    "card slow": ("card.slow",),
    "card read-only": ("card.read_only",),
    "card bit-rot": ("card.bit_rot",),
    "encoder stall": ("camera.encoder_stall",),
    "mic silent": ("microphone.silent",),
    "mic 1.1 s late": ("microphone.late",),
    "frame drops": ("camera.drop_frames",),
    "clock jump ±1 h": ("clock.jump",),
    "1970 start": ("clock.year_1970",),
    "DST": ("clock.dst",),
    "GNSS week roll": ("gps.week_rollover",),
    "no fix": ("gps.no_fix",),
    "stale fix": ("gps.stale",),
    "teleport": ("gps.teleport",),
    "battery sag": ("battery.sag",),
    "sudden 0 %": ("battery.sudden_zero",),
    "hot": ("heat.hot", "battery.hot"),
    "stuck button": ("lines.stuck_record_button",),
    "3 s hold under shaking": ("lines.shaken_hold",),
    "light-bar bounce (< 200 ms)": ("lines.lightbar_bounce",),
    "light-bar dips (< 3.6 V)": ("lines.lightbar_dips",),
    "trigger storm": ("lines.storm",),
    "trigger during upload, update, boot, sleep": ("press record button twice", "light bar on"),
    "undock mid-chunk": ("dock.out_in_mid_upload",),
    "undock mid-update": ("update.interrupted",),
    "server 400/401/402/403/404/500/503/507": tuple(
        f"station.status_{code}" for code in (400, 401, 402, 403, 404, 500, 503, 507)
    ),
    "server time-out": ("station.time_out",),
    "server truncated body": ("station.torn_receipt",),
    "server wrong hash": ("station.wrong_hash",),
    "ack then lost": ("station.ack_lost",),
    "two docks claim one camera": ("dock.two_docks",),
    "wrong system id": ("dock.other_system", "station.wrong_system"),
    "expired certificate": ("dock.expired_certificate",),
    "replayed receipt": ("station.replayed",),
    "server confirms but final store incomplete": ("station.incomplete",),
    "officer never signs out": ("officer.never_signs_out",),
    "unknown category": ("category.unknown",),
    "peer broadcast forged": ("peer.forged",),
    "peer broadcast replayed": ("peer.replayed",),
    "lost-device lock": ("device.lost_lock",),
}
"""The requirements' list "Faults that the simulator can make", word by word, and what makes each."""


@pytest.mark.parametrize("listed", LISTED)
def test_every_fault_of_the_requirements_list_can_be_made(listed: str) -> None:
    known = (*catalogue(), *DEEDS)
    assert [name for name in LISTED[listed] if name not in known] == []
