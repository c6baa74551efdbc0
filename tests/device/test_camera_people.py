"""A real camera and the people around it: sign-in, labels, holds, custody, reports, usage, and a technician's tools."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import typing
from collections.abc import Callable
from pathlib import Path

import pytest
from camera_bench import DOCK, LIGHTBAR, SEVERITY, CameraBench, until
from people_bench import command, logged_details, metadata_of, signed_command
from test_camera_full_card import receipt
from vault_holder import prove

from device.__main__ import main
from device.usage_page import usage_lines
from device.verbs import parser_of
from evidence.handover import Done, Facts, ReceiptTaken, Refused
from evidence.requests import (
    CategoryRequest,
    CommandRequest,
    FactsRequest,
    LabelRequest,
    ReceiptRequest,
    ReportRequest,
    Request,
)

Make = Callable[..., CameraBench]
ANN = {"officer": "officer-4711", "name": "Ann Example", "badge": "B-77", "identified_by": "rfid", "vehicle": "unit-12"}


def record(camera: CameraBench) -> str:
    """One short recording by the light bar; its stem, closed."""
    stem = camera.trigger(LIGHTBAR)
    camera.fragments(1)
    camera.line(LIGHTBAR, active=False)
    camera.hold_to_stop()
    until(lambda: any(one.name == f"{stem}.evidence" for one in camera.files().files))
    return stem


@pytest.mark.requirement("R5", "R8", "R32", "R33")
def test_the_officer_is_signed_in_by_the_dock_and_out_by_docking(bench: Make) -> None:
    camera = bench().start()
    nobodys = record(camera)
    taken = signed_command(camera.pki, "assign", by="checkout", training_valid_until="2099-12-31", **ANN)
    assert isinstance(camera.ask(CommandRequest(command=taken)), Done)
    assert isinstance(camera.ask(CommandRequest(command=taken)), Refused), "a replay is refused"
    assert camera.status().assigned
    cut_off = camera.double_press()
    camera.fragments(1)
    camera.kill()
    camera.start()  # the session outlives a crash, and stands in the recording that goes on after it
    anns = camera.status().recording
    assert anns not in (None, cut_off)
    camera.hold_to_stop()
    camera.ask_selftest()
    camera.line(DOCK, active=True)
    camera.wait("session_ended", "docked")
    assert not camera.status().assigned
    assert isinstance(command(camera, "end_session", by="checkout"), Refused), "nobody is signed in"
    assert camera.stop() == 0
    (opening,) = [one for one in metadata_of(camera, camera.path(nobodys)) if one.get("part") == "opening"]
    assert (opening["officer"], opening["officer_identified_by"]) == (None, "none")
    (opening,) = [one for one in metadata_of(camera, camera.path(anns)) if one.get("part") == "opening"]
    assert (opening["officer"], opening["officer_identified_by"]) == ("officer-4711", "rfid")
    assert (opening["badge"], opening["vehicle"]) == ("B-77", "unit-12")
    rows = [{row["name"]: row["result"] for row in one["checks"]} for one in logged_details(camera, "self_test")]
    assert (rows[0]["assignment"], rows[0]["training"]) == ("note", "pass")
    assert (rows[-1]["assignment"], rows[-1]["training"]) == ("pass", "pass")
    words = [(event, word) for event, word, _ in camera.events()]
    assert ("command", "assign") in words
    assert words.count(("command_refused", None)) == 2
    assert ("assigned", "rfid") in words
    assert ("session_ended", "docked") in words
    assert ("assigned", "continues") in words


@pytest.mark.requirement("R32")
def test_untrained_officers_are_refused_by_a_profile_that_says_so_and_the_buttons_still_record(bench: Make) -> None:
    camera = bench(policy={"severity": {**SEVERITY, "training": "block", "assignment": "warn"}}).start()
    assert camera.status().self_test == "warn", "nobody is signed in"
    assert isinstance(command(camera, "assign", training_valid_until="2020-01-01", **ANN), Done)
    assert camera.ask_selftest() == "block"
    assert camera.status().state == "out_of_service"
    stem = camera.double_press()
    assert camera.status().recording == stem


@pytest.mark.requirement("R31", "R35")
def test_categories_and_labels_are_appended_and_a_hold_keeps_a_receipted_recording(bench: Make) -> None:
    camera = bench().start()
    stem = camera.trigger(LIGHTBAR)
    camera.fragments(1)
    assert isinstance(camera.ask(LabelRequest(label="cad", text="CAD-2026-0815")), Done)
    camera.line(LIGHTBAR, active=False)
    camera.hold_to_stop()
    name = f"{stem}.evidence"
    (known,) = until(lambda: [one for one in camera.files().files if one.name == name])
    assert (known.upload_class, known.hold, known.category) == ("normal", False, None)
    for wrong in ("use_of_farce", "test", "false_activation"):
        assert isinstance(camera.ask(CategoryRequest(category=wrong, recording=stem)), Refused)
    assert "no recording" in camera.ask(CategoryRequest(category="prudent", recording="SIM-0001-000077")).error
    assert "nothing is being recorded" in camera.ask(CategoryRequest(category="prudent")).error
    assert isinstance(camera.ask(CategoryRequest(category="use_of_force", recording=stem)), Done)
    (known,) = [one for one in camera.files().files if one.name == name]
    assert (known.upload_class, known.hold, known.category) == ("critical", True, "use_of_force")
    prove(camera, stem)
    answer = camera.ask(ReceiptRequest(name=name, receipt=receipt(camera, name)))
    assert answer == ReceiptTaken(deleted=False, keep_s=0)
    until(lambda: not camera.status().recording)
    camera.kill()
    camera.start()  # the hold outlives a crash
    until(lambda: any(one.name == name for one in camera.files().files))
    assert camera.path(stem).exists()
    assert camera.status().held == 1
    refused = command(camera, "release", by="checkout", recording=stem, reason="not mine to lift")
    assert "may not give release" in refused.error
    assert isinstance(command(camera, "release", recording=stem, reason="the case is closed"), Done)
    camera.wait("deleted")
    assert not camera.path(stem).exists()
    late = command(camera, "hold", recording=stem, reason="too late here")
    assert "not on this camera any more" in late.error
    assert isinstance(camera.ask(LabelRequest(label="case", text="26-0815", recording=stem)), Done), "a late label"
    assert camera.stop() == 0
    labelled = [(word, number) for event, word, number in camera.events() if event == "labelled"]
    assert labelled == [("cad", 1), ("use_of_force", 1), ("release", 1), ("case", 1)]
    texts = [one.get("text") for one in logged_details(camera, "labelled")]
    assert texts == ["CAD-2026-0815", None, "the case is closed", "26-0815"]


@pytest.mark.requirement("R31", "R35", "R22")
def test_what_is_said_of_one_file_is_said_of_its_whole_incident(bench: Make) -> None:
    camera = bench(policy={"roll_over_s": 5}).start()
    first = camera.double_press()
    assert isinstance(camera.ask(CategoryRequest(category="use_of_force")), Done)
    second = camera.wait("rolled_over").word
    assert second is not None
    until(lambda: camera.status().held >= 2, what="the file in which it goes on is held too")
    assert isinstance(camera.ask(LabelRequest(label="case", text="26-0815", recording=first)), Done)
    camera.hold_to_stop()
    until(lambda: {first, second} <= {one.name.removesuffix(".evidence") for one in camera.files().files})
    files = {one.name.removesuffix(".evidence"): one for one in camera.files().files}
    assert (files[second].upload_class, files[second].hold, files[second].category) == (
        "critical",
        True,
        "use_of_force",
    )
    assert isinstance(command(camera, "release", recording=second, reason="a copy"), Done)
    files = {one.name.removesuffix(".evidence"): one for one in camera.files().files}
    assert (files[first].hold, files[second].hold) == (True, False), "a release is of one file"
    assert camera.stop() == 0
    labelled = [(word, number) for event, word, number in camera.events() if event == "labelled"]
    assert labelled[:3] == [("use_of_force", 1), ("use_of_force", 2), ("hold", 2)]
    assert {("case", 1), ("case", 2)} <= set(labelled)


@pytest.mark.requirement("R35", "R33")
def test_a_supervisor_seizes_the_camera_and_nothing_is_deleted_until_it_is_given_back(bench: Make) -> None:
    camera = bench().start()
    old = record(camera)
    seen = len(camera.notices)
    assert (
        "may not give"
        in command(camera, "critical_incident", by="checkout", phase="begin", custodian="x", supervisor="y").error
    )
    assert isinstance(
        command(camera, "critical_incident", phase="begin", custodian="Sgt. Doe", supervisor="Lt. Roe"), Done
    )
    ring = camera.opened(seen)
    assert camera.status().seized
    name = f"{old}.evidence"
    prove(camera, old)
    assert camera.ask(ReceiptRequest(name=name, receipt=receipt(camera, name))) == ReceiptTaken(deleted=False, keep_s=0)
    assert camera.wait("recording_closed", "ring_kept", since=seen).recording == ring
    camera.kill()
    camera.start()
    assert camera.status().seized, "custody outlives a restart"
    until(lambda: any(one.name == name for one in camera.files().files))
    assert camera.path(old).exists()
    assert isinstance(
        command(camera, "critical_incident", phase="end", custodian="armoury", supervisor="Lt. Roe"), Done
    )
    camera.wait("deleted")
    assert camera.stop() == 0
    custody = [word for event, word, _ in camera.events() if event == "custody"]
    assert custody == ["taken", "continues", "returned"]
    assert [one["custodian"] for one in logged_details(camera, "custody")] == ["Sgt. Doe", "Sgt. Doe", "armoury"]


@pytest.mark.requirement("R11", "R36")
def test_a_malfunction_is_reported_in_one_action_and_the_shift_is_counted(
    bench: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = bench().start()
    record(camera)
    assert isinstance(camera.ask(ReportRequest(component="lens", symptom="the lens is cracked")), Done)
    assert camera.wait("malfunction").word == "lens"
    items = camera.ask(FactsRequest(about="queue")).facts["items"]
    assert ("malfunction", "lens") in [(one["cause"], one["component"]) for one in items], "the supervisor's queue"
    facts = camera.ask(FactsRequest(about="usage"))
    assert isinstance(facts, Facts)
    assert facts.facts["recordings"] == 1
    assert facts.facts["triggers"] == {"lightbar": 1}
    assert facts.facts["malfunctions"] == {"lens": 1}
    assert facts.facts["state_s"]["recording"] >= 3, "the light bar's recording lasted until it was held to stop"
    assert any("lightbar 1" in line for line in usage_lines(facts.facts))
    assert main(["usage", "--socket", str(camera.socket)]) == 0
    assert "recordings            1" in capsys.readouterr().out
    camera.line(DOCK, active=True)
    camera.wait("docked")
    assert camera.stop() == 0
    (one, *_) = logged_details(camera, "malfunction")
    assert one["symptom"] == "the lens is cracked"
    usage = logged_details(camera, "usage")
    assert usage[0]["recordings"] == 1
    words = [(event, word) for event, word, _ in camera.events() if event in ("usage", "docked")]
    assert words[:2] == [("usage", "docked"), ("docked", None)], "the station gets the count with this docking"


# --- the command line -------------------------------------------------------------------------------------------------

FORBIDDEN = ("play", "export", "delete", "erase", "unlink", "copy", "download", "view", "remove", "purge", "format")


@pytest.mark.requirement("R1", "R39")
def test_no_verb_and_no_request_plays_exports_or_deletes_evidence() -> None:
    (choices,) = [one.choices for one in parser_of()._actions if isinstance(one, argparse._SubParsersAction)]
    ops = [kind.__struct_config__.tag for kind in typing.get_args(Request)]
    assert {"status", "doctor", "category", "report"} <= set(choices)
    assert len(ops) == 19, "look at each new request: does it play, export or delete?"
    words = [*choices, *map(str, ops)]
    assert not [word for word in words if any(bad in word.lower() for bad in FORBIDDEN)]


@pytest.mark.requirement("R39")
def test_the_verbs_talk_to_the_camera_in_json_and_in_words(bench: Make, capsys: pytest.CaptureFixture[str]) -> None:
    camera = bench().start()
    where = ["--socket", str(camera.socket)]

    def run(*words: str) -> tuple[int, str, str]:
        code = main([*words, *where])
        told = capsys.readouterr()
        return code, told.out, told.err

    assert "officer    unassigned" in run("status")[1]
    assert json.loads(run("status", "--json")[1])["state"] == "ready"
    assert run("selftest")[0] == 0
    assert run("mark")[2] == "firsthand-device: nothing is being recorded\n"
    assert run("trigger", "nonsense")[0] == 1
    assert run("trigger", "pursuit")[:2] == (0, "done\n")
    stem = camera.opened(0)
    assert run("mark")[:2] == (0, "done\n")
    assert run("category", "Use of force")[0] == 0
    assert run("label", "case", "26-0815", "--recording", stem)[0] == 0
    assert run("report", "microphone", "crackles")[0] == 0
    code, _, error = run("category", "use-of-farce")
    assert (code, error.count("\n")) == (1, 1)
    assert "did you mean 'use_of_force'?" in error
    document = camera.directory / "assign.p7s"
    document.write_bytes(signed_command(camera.pki, "assign", **ANN))
    assert run("command", str(document))[0] == 0
    assert "officer    signed in" in run("status")[1]
    assert run("command", str(document))[0] == 1
    assert run("command", str(camera.directory / "missing.p7s"))[0] == 1
    events = subprocess.Popen(
        [sys.executable, "-m", "device", "events", "--follow", *where], stdout=subprocess.PIPE, text=True
    )
    assert events.stdout is not None
    assert events.stdout.readline() == "done\n"
    run("mark")
    run("report", "lens", "cracked")
    assert until(lambda: "malfunction" in (events.stdout.readline() if events.stdout else ""))
    camera.stop()
    assert events.wait(60) == 0, "the camera ended, and so does who follows it"


@pytest.mark.requirement("R39")
def test_a_support_bundle_holds_no_evidence_no_position_no_key_and_no_officer(
    bench: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = bench().start()
    assert isinstance(command(camera, "assign", **ANN), Done)
    stem = record(camera)
    camera.ask(LabelRequest(label="note", text="seen by Ann Example at 60.1699", recording=stem))
    camera.ask(ReportRequest(component="lens", symptom="Ann Example dropped it"))
    out = camera.directory / "support.tar.gz"
    doctor = ["doctor", "--config", str(camera.directory / "device.toml"), "--out", str(out)]
    assert main(doctor) == 0
    assert "no evidence" in capsys.readouterr().out
    assert main(doctor) == 1, "it overwrites nothing"
    assert out.stat().st_mode & 0o077 == 0
    files = unpacked(out)
    assert {"versions.json", "settings.json", "profile.json", "status.json", "support.json", "board.json"} <= set(files)
    assert json.loads(files["support.json"])["facts"]["self_test"]["checks"]
    events = [json.loads(line).get("event") for line in files["log.jsonl"].splitlines()]
    assert "recording_opened" in events
    assert "malfunction" in events
    everything = b"\0".join(files.values())
    whole = camera.path(stem).read_bytes()
    keys = [path.read_bytes() for path in camera.pki.glob("*.key")]
    secrets = [line for key in keys for line in key.splitlines() if not line.startswith(b"-----")]
    people = [b"officer-4711", b"Ann Example", b"B-77", b"dropped it", b"unit-12"]
    (closing,) = [one for one in metadata_of(camera, camera.path(stem)) if one.get("part") == "closing"]
    _, latitude_nd, longitude_nd, *_ = closing["track"][0]
    places = [b"%.3f" % (latitude_nd / 1e9), b"%.3f" % (longitude_nd / 1e9), b"%d" % latitude_nd, b"GGA,"]
    assert not [secret for secret in (*secrets, *people, *places, b"PRIVATE KEY") if secret in everything]
    assert not [at for at in range(0, len(whole) - 64, 4096) if whole[at : at + 64] in everything]
    camera.stop()
    assert main([*doctor[:-1], str(camera.directory / "dead.tar.gz")]) == 0, "a dead daemon gives a bundle too"
    assert "unavailable" in json.loads(unpacked(camera.directory / "dead.tar.gz")["status.json"])


def unpacked(path: Path) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as tar:
        return {
            member.name.removeprefix("firsthand-support/"): tar.extractfile(member).read()  # type: ignore[union-attr]
            for member in tar.getmembers()
        }


@pytest.mark.requirement("R33")
@pytest.mark.parametrize("who", [{"trigger_uids": [65534]}, {"trigger_users": ["nobody", "not-here"]}])
def test_a_radios_bridge_is_known_by_its_user(bench: Make, as_root: None, who: dict[str, typing.Any]) -> None:
    camera = bench(extra=who).start()
    camera.directory.chmod(0o755)
    camera.socket.chmod(0o666)
    code = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534); s = socket.socket(socket.AF_UNIX); "
        "s.connect(sys.argv[1]); f = s.makefile('rw')\n"
        'for op in (\'{"op":"status"}\', \'{"op":"mark"}\', \'{"op":"trigger","name":"holster"}\'):\n'
        "    f.write(op + chr(10)); f.flush(); print(f.readline(), end='')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(camera.socket)], capture_output=True, text=True, timeout=120)
    status, mark, trigger = (json.loads(line) for line in done.stdout.splitlines())
    assert status["answer"] == "status", done
    assert "only ask for the status" in mark["error"]
    assert "only ask for the status" not in trigger.get("error", ""), "whether the input exists is another question"
    assert os.getuid() == 0
