"""The remote audio recorder of a dash camera (R2): paired, charged, heard; each loss and mute is told and kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from camera_bench import PURSUIT, CameraBench, media, statements, until

from device.remote_link import LinkWatch, judge_link
from evidence.requests import SelfTestRequest
from evidence.statements import Event
from hal.clock import boottime_ns
from hal.errors import BadDriverOption
from hal.microphone import EncodedSound, LinkState, RemoteLink
from simulator.drivers.microphone import ToneMicrophone
from simulator.drivers.remote_microphone import RemoteMicrophone

GOOD = LinkState(paired=True, battery_percent=80, muted=False, offset_us=60_000)


@pytest.mark.requirement("R2")
def test_each_change_of_the_link_is_told_once() -> None:
    watch = LinkWatch()
    lost = replace(GOOD, paired=False, battery_percent=None, offset_us=None)
    assert watch.look(GOOD) == ["paired"]
    assert watch.look(GOOD) == []
    assert watch.look(replace(GOOD, muted=True)) == ["muted"]
    assert watch.look(lost) == ["lost"]
    assert watch.look(replace(GOOD, muted=True)) == ["paired"], "it was muted all the time, as far as is known"
    assert watch.look(GOOD) == ["unmuted"]
    assert LinkWatch().look(lost) == ["lost"], "one that was never there is told too"


def test_a_battery_at_the_limit_is_told_once_and_not_again_while_it_wavers() -> None:
    watch, told = LinkWatch(), []
    for percent in (22, 21, 20, 21, 20, 19, 25, 31, 20, None):
        told += [news for news in watch.look(replace(GOOD, battery_percent=percent)) if news != "paired"]
    assert told == ["battery_low", "battery_charged", "battery_low"]


@pytest.mark.requirement("R2", "R3", "R8")
@pytest.mark.parametrize(
    ("state", "heard", "outcome", "said"),
    [
        (GOOD, True, "pass", "paired, battery 80 %, 60 ms late"),
        (replace(GOOD, battery_percent=None, offset_us=None), True, "pass", "paired, battery unknown, not measured"),
        (None, True, "fail", "no remote microphone"),
        (replace(GOOD, paired=False), False, "fail", "not paired"),
        (replace(GOOD, muted=True), False, "fail", "muted by its wearer; paired, battery 80 %, 60 ms late"),
        (GOOD, False, "fail", "no sound arrives; paired, battery 80 %, 60 ms late"),
        (replace(GOOD, battery_percent=20), True, "fail", "paired, battery 20 %, 60 ms late"),
        (replace(GOOD, offset_us=1_100_000), True, "fail", "paired, battery 80 %, 1100 ms late"),
    ],
)
def test_a_microphone_that_would_lose_the_sound_of_a_shift_fails(
    state: LinkState | None, heard: bool, outcome: str, said: str
) -> None:
    seen = judge_link(state, heard=heard)
    assert (seen.outcome, seen.value) == (outcome, said)
    assert outcome == "pass" or seen.advice


def test_the_simulated_one_has_a_link_and_a_wired_one_has_none() -> None:
    assert isinstance(RemoteMicrophone(), RemoteLink)
    assert not isinstance(ToneMicrophone(), RemoteLink)
    assert RemoteMicrophone(paired=False).link() == LinkState(False, None, False, None)
    with pytest.raises(BadDriverOption, match="delay_ms"):
        RemoteMicrophone(delay_ms=5000)


def test_sound_comes_as_late_as_the_link_says_and_bears_the_time_at_which_it_was_said() -> None:
    microphone, heard, enough = RemoteMicrophone(delay_ms=200), [], threading.Event()

    def on_sound(sound: EncodedSound) -> None:
        heard.append((boottime_ns() - sound.captured_ns, sound.captured_ns))
        if len(heard) >= 20:
            enough.set()

    microphone.start(on_sound, lambda _: None)
    assert enough.wait(60)
    microphone.stop()
    assert microphone.link().offset_us == 200_000
    assert min(late_ns for late_ns, _ in heard) >= 200_000_000
    assert all(b[1] > a[1] for a, b in zip(heard, heard[1:], strict=False))  # noqa: RUF007 - typed lists of pairs


@pytest.fixture
def dash(bench: Callable[..., CameraBench]) -> Callable[..., CameraBench]:
    """A dash camera with a remote microphone on the board's hardware socket."""

    def make(directory: Path, **options: Any) -> CameraBench:
        remote = {"hardware_socket": str(directory / "mic.sock"), **options}
        return bench(
            microphone=False,
            extra={
                "role": "dash",
                "vehicle": "CT-4711",
                "microphone": {"driver": "simulated-remote", "options": remote},
            },
        )

    return make


def row(camera: CameraBench) -> dict[str, Any]:
    rows = {str(one["name"]): one for one in camera.ask(SelfTestRequest()).checks}
    return rows["remote_audio"]


@pytest.mark.requirement("R2", "R3")
def test_a_link_that_fails_in_a_recording_is_an_alarm_and_stands_in_it(
    dash: Callable[..., CameraBench], tmp_path: Path
) -> None:
    camera, board = dash(tmp_path).start(), tmp_path / "mic.sock"
    assert row(camera)["value"] == "paired, battery 90 %, 60 ms late"
    assert row(camera)["result"] == "pass"
    stem = camera.trigger(PURSUIT)
    camera.fragments(2)
    seen = len(camera.notices)
    camera.world({"op": "microphone", "link": False}, board=board)
    assert camera.wait("alarm", "remote_audio_lost", since=seen).recording == stem
    camera.world({"op": "microphone", "link": True, "battery_percent": 12}, board=board)
    camera.wait("remote_audio", "battery_low", since=seen)
    camera.world({"op": "microphone", "wearer_muted": True}, board=board)
    camera.wait("remote_audio", "muted", since=seen)
    camera.world({"op": "microphone", "wearer_muted": False}, board=board)
    camera.wait("remote_audio", "unmuted", since=seen)
    camera.fragments(2)
    assert camera.stop() == 0
    camera.verify(stem)
    told = ["lost", "paired", "battery_low", "muted", "unmuted"]
    events = [one for one in statements(camera.path(stem)) if isinstance(one, Event)]
    assert [one.word for one in events if one.event == "remote_audio"] == told
    assert [word for event, word, number in camera.events() if event == "remote_audio" and number == 1] == told
    sound = [one.media.sound_frames for one in media(camera.path(stem)) if one.media is not None]
    assert max(sound[-2:]) > 0, "and it is heard again; the last fragment may be shorter than a piece of sound"


@pytest.mark.requirement("R2", "R9")
def test_a_dead_dash_microphone_blocks_the_camera_and_the_button_still_records(
    dash: Callable[..., CameraBench], tmp_path: Path
) -> None:
    camera = dash(tmp_path, paired=False).start()
    found = row(camera)
    assert (found["result"], found["value"]) == ("fail", "not paired")
    assert camera.status().self_test == "block"
    stem = camera.double_press()
    camera.fragments(2)
    until(lambda: camera.status().recording == stem)
    assert camera.stop() == 0
    camera.verify(stem)
    assert ("recording_opened", "degraded", 1) in camera.events()
