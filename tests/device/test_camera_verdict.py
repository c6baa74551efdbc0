"""What follows from a self-test on a real daemon: override by signed command, expiry, the clip's label, the table."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from camera_bench import DOCK, LIGHTBAR, CameraBench, until
from people_bench import command, logged_details, metadata_of

from device.identity import FIRMWARE
from evidence import cms
from evidence.handover import Done, Refused
from evidence.keys import FileSigner
from evidence.release import Release, code_sha256
from evidence.requests import CategoryRequest
from evidence.statements import encode_canonical

Make = Callable[..., CameraBench]
ANN: dict[str, Any] = {
    "officer": "O-1881", "name": "Ann Example", "badge": "1881", "identified_by": "rfid", "vehicle": None,
    "shift": "day", "valid_until": None, "training_valid_until": "2099-12-31",
}  # fmt: skip


def said(camera: CameraBench, *options: str) -> subprocess.CompletedProcess[str]:
    """`firsthand-device selftest` in a pipe."""
    line = [sys.executable, "-m", "device", "selftest", "--socket", str(camera.socket), *options]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.requirement("R9", "R33")
def test_a_supervisor_overrides_one_component_for_one_shift_and_it_is_public(bench: Make) -> None:
    camera = bench(battery_percent=5).start()
    assert camera.status().state == "out_of_service"
    refused = command(camera, "override", component="signing_key", supervisor="Lt. Roe")
    assert isinstance(refused, Refused)
    assert "never" in refused.error
    assert isinstance(command(camera, "override", component="battery", supervisor="Lt. Roe"), Done)
    until(lambda: camera.status().state == "ready")
    status = camera.status()
    assert (status.self_test, status.do_not_use, status.overrides) == ("block", (), ("battery",))
    assert camera.ask_selftest() == "block"
    assert camera.status().state == "ready", "the same shift, the same component"
    stem = camera.double_press()
    camera.fragments(1)
    camera.hold_to_stop()
    camera.line(DOCK, active=True)
    camera.wait("docked")
    camera.line(DOCK, active=False)
    until(lambda: camera.status().state == "out_of_service", what="the override ended at the dock")
    assert camera.status().overrides == ()
    camera.stop()
    camera.verify(stem)
    events = camera.events()
    assert ("recording_opened", "degraded", 1) in events, "the component is broken all the same"
    words = [(event, word) for event, word, _ in events]
    assert ("override", "battery") in words
    assert ("override_ended", "battery") in words
    assert logged_details(camera, "override")[0]["given"] == 1


@pytest.mark.requirement("R9")
def test_a_profile_may_allow_no_override(bench: Make) -> None:
    camera = bench(battery_percent=5, policy={"supervisor_override": False}).start()
    refused = command(camera, "override", component="battery", supervisor="Lt. Roe")
    assert isinstance(refused, Refused)
    assert camera.status().state == "out_of_service"


@pytest.mark.requirement("R8")
def test_another_officer_makes_the_verdict_expired_until_the_next_test(bench: Make) -> None:
    camera = bench().start()
    assert camera.status().self_test_expired is None
    assert isinstance(command(camera, "assign", by="checkout", **ANN), Done)
    camera.wait("self_test_expired", "new_officer")
    assert camera.status().self_test_expired == "new_officer"
    assert camera.status().state == "ready", "it is told, and puts nobody out of service"
    assert "expired" in subprocess.run(
        [sys.executable, "-m", "device", "status", "--socket", str(camera.socket)],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    camera.ask_selftest()
    assert camera.status().self_test_expired is None
    camera.stop()
    assert logged_details(camera, "self_test")[-1]["officer"] == "O-1881"


@pytest.mark.requirement("R8", "R39")
def test_the_label_stands_in_the_clips_closing_metadata_and_nowhere_else(bench: Make) -> None:
    camera = bench(policy={"test_clip_s": 2}).start()
    shown = said(camera, "--clip")
    assert "say name and badge now" in shown.stderr
    assert "test_clip" in shown.stdout
    camera.wait("recording_closed", "test_clip")
    seen = len(camera.notices)
    camera.line(DOCK, active=True)
    camera.wait("docked", since=seen)
    camera.line(DOCK, active=False)
    camera.wait("test_clip", "say_name_and_badge", since=seen)
    camera.line(LIGHTBAR, active=True)
    camera.wait("test_clip", "cleared", since=seen)
    camera.stop()
    test, real = (metadata_of(camera, camera.path(f"SIM-0001-00000{number}")) for number in (1, 2))
    assert test[-1]["labels"] == ["test"]
    assert "labels" not in real[-1] or real[-1]["labels"] == []
    assert all("labels" not in one for one in (*test[:-1], *real[:-1]))


@pytest.mark.requirement("R8", "R9")
def test_a_technician_reads_the_table_and_a_script_the_exit_code(bench: Make) -> None:
    camera = bench().start()
    good = said(camera)
    assert good.returncode == 0, good
    assert good.stdout.splitlines()[0].split() == ["check", "result", "took", "what", "was", "seen"]
    assert "\x1b" not in good.stdout, "no colours in a pipe"
    camera.battery.set(percent=5)
    bad = said(camera)
    assert bad.returncode == 2
    assert "do: charge" in bad.stdout
    assert "do not use this camera" in bad.stdout


@pytest.mark.requirement("R37", "R33")
def test_a_signed_command_begins_the_inspection(bench: Make) -> None:
    camera = bench(policy={"inspection_days": 7}).start()
    assert isinstance(command(camera, "inspection", supervisor="Lt. Roe"), Done)
    camera.wait("press_line")
    refused = command(camera, "inspection", supervisor="Lt. Roe")
    assert isinstance(refused, Refused)
    assert "under way" in refused.error
    ended = camera.wait("inspection", "warn", timeout_s=200)  # nobody pressed anything
    assert ended.word == "warn"
    camera.stop()
    details = logged_details(camera, "inspection")[0]
    assert details["signed_command"] is True
    assert details["next_due"] is not None
    assert {one["name"] for one in details["checks"]} >= {"storage", "whole_log", "signing_pace", "line_pursuit"}


@pytest.mark.requirement("R8", "R31")
def test_a_category_given_during_the_clip_makes_it_evidence(bench: Make) -> None:
    camera = bench(policy={"test_clip_s": 6}).start()
    seen = len(camera.notices)
    camera.line(DOCK, active=True)
    camera.wait("docked", since=seen)
    camera.line(DOCK, active=False)
    stem = camera.wait("test_clip", "say_name_and_badge", since=seen).recording
    assert isinstance(camera.ask(CategoryRequest(category="use_of_force")), Done)
    camera.wait("test_clip", "cleared", since=seen)
    assert camera.status().recording == stem
    camera.stop()
    assert all("test" not in one.get("labels", ()) for one in metadata_of(camera, camera.path("SIM-0001-000001")))


@pytest.mark.requirement("R8", "R9")
def test_code_that_is_not_the_signed_release_is_out_of_service(bench: Make) -> None:
    camera = bench()
    camera.state.mkdir(exist_ok=True)
    signer = FileSigner.load(camera.pki / "release.key", camera.pki / "release.pem")
    code = Path(__file__).resolve().parents[2]

    def install(sha256: str) -> None:
        release = Release(v=1, version=FIRMWARE, sha256=sha256)
        (camera.state / "release.p7s").write_bytes(cms.sign(encode_canonical(release), signer, dt.datetime.now(dt.UTC)))

    install(code_sha256(code))
    camera.start()
    assert camera.status().do_not_use == ()
    install("0" * 64)
    assert camera.ask_selftest() == "block"
    assert camera.status().do_not_use == ("firmware",)
    assert camera.double_press(), "it records all the same"
