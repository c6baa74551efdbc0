"""The log that a person can read: one timeline in plain words, verified, sealed details only with the vault's key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from camera_shift import Camera
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recordings import Agency

from evidence.__main__ import main
from evidence.errors import EvidenceError
from evidence.log_entries import Entry, values
from evidence.log_words import Language, Words, load
from evidence.statements import Event

Out = pytest.CaptureFixture[str]
PLACE = re.compile(r" (log|rec) \d+:\d+ ")


@pytest.fixture
def camera(agency: Agency, tmp_path: Path) -> Camera:
    return Camera(agency, tmp_path / "card")


def told(agency: Agency, capsys: Out, *places: object, key: bool = True, code: int = 0) -> list[str]:
    """The lines of `log`."""
    vault = ("--vault-cert", agency.file("vault.pem"), "--vault-key", agency.file("vault.key")) if key else ()
    capsys.readouterr()
    assert main(["log", *map(str, places), "--root", agency.file("root.pem"), *vault]) == code
    return capsys.readouterr().out.splitlines()


def sentences(lines: list[str]) -> list[str]:
    """What stands behind time and place."""
    return [line.split("  ")[-1].strip() for line in lines if PLACE.search(line)]


def a_shift(camera: Camera) -> None:
    camera.event("boot", details={"boots": 7})
    camera.event("suppressed", word="asleep", details={"name": "lightbar", "at_ns": 5})
    writer = camera.begin()
    camera.film(writer, 2)
    writer.event("marker", details={"at_ns": 1})
    writer.event("muted", details={"at_ns": 1})
    writer.commit()
    camera.event("muted", recording=1, details={"at_ns": 1})
    camera.wait(5)
    writer.event("unmuted")
    camera.event("unmuted", recording=1, details={"seconds": 5.0})
    writer.gap(cause="camera_silent", start_ns=10**9, end_ns=3 * 10**9 + 5 * 10**8)
    camera.end(writer)
    details = {"code": "telephone", "spoken": False, "supervisor": "consulted"}
    camera.event("stop_reason", recording=1, word="telephone", details=details)
    camera.close_log()


@pytest.mark.requirement("R24", "R25", "R27", "R36")
def test_a_shift_is_told_in_order_each_thing_once(camera: Camera, agency: Agency, capsys: Out) -> None:
    a_shift(camera)
    lines = told(agency, capsys, camera.card)
    assert [re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "TIME", one) for one in sentences(lines)] == [
        "log segment 1 begins; profile test 1; firmware 0.1.0",
        "the camera was started, for the 7. time",
        "the light bar started nothing: the camera was asleep",
        "recording 1 was started; class normal",
        "the officer set a marker (recording 1)",
        "the officer muted the sound (recording 1)",
        "the sound is back after 5 s (recording 1)",
        "GAP of 2.5 s: the camera delivered no picture (recording 1)",
        "recording 1 ends: stopped by the officer; 50 pictures from TIME to TIME",
        "stopped by the officer; reason: telephone (D.3.a.(8)); a supervisor was consulted (D.3.b.(1)) (recording 1)",
        "log segment 1 is closed: the camera is in the dock",
    ]
    assert "±0.005 s ntp" in lines[1]
    assert lines[-2].startswith("SIM-0001: 11 entries from 1 log segment and 1 recording; sealed details opened")
    assert lines[-1].startswith("SIMULATED")


def test_without_the_key_only_public_words_are_told(camera: Camera, agency: Agency, capsys: Out) -> None:
    a_shift(camera)
    lines = told(agency, capsys, camera.card, key=False)
    text = "\n".join(lines)
    assert "a trigger started nothing: the camera was asleep" in text
    assert "light bar" not in text
    assert "supervisor" not in text
    assert "the sound is back (recording 1)" in text
    assert "public words only" in text


def test_an_entry_without_words_is_shown_as_it_stands(camera: Camera, agency: Agency, capsys: Out) -> None:
    camera.event("brand_new", recording=3, word="odd", details={"why": "because"})
    camera.close_log()
    (line,) = [one for one in told(agency, capsys, camera.card) if "brand_new" in one]
    assert all(part in line for part in ("odd", "because", "3"))


def test_the_order_is_that_of_the_boots_whatever_the_clock_says(camera: Camera, agency: Agency, capsys: Out) -> None:
    camera.event("boot", details={"boots": 1})
    camera.event("docked")
    camera.clock.utc_ns -= 10**18
    camera.clock.source = "none"
    camera.restart()
    camera.event("undocked")
    camera.close_log()
    lines = told(agency, capsys, camera.card)
    assert [one for one in sentences(lines) if "dock" in one][:2] == ["put into the dock", "taken out of the dock"]
    assert any(line.startswith("UTC unknown, boot 2, ") for line in lines)


@pytest.mark.requirement("R28", "R29")
def test_what_goes_on_after_an_interruption_says_from_when_until_when_there_is_nothing(
    camera: Camera, agency: Agency, capsys: Out
) -> None:
    camera.event("boot")
    writer = camera.begin()
    camera.film(writer, 3)
    writer.commit()
    camera.restart(writer.path)
    again = camera._writer("recording", 2)
    camera._open(again, "critical", resumes=1)
    again.seal_mp4("init", [b"init"])
    camera.film(again, 1)
    camera.number = 2
    camera.event("recording_opened", recording=2, details={"trigger": "resumed_after_restart"})
    camera.end(again)
    camera.close_log()
    found = sentences(told(agency, capsys, camera.card))
    (line,) = [one for one in found if one.startswith("recording 2 was started by the restart")]
    cut = re.search(r"NO PICTURES from (\S+) to (\S+)$", line)
    assert cut is not None
    (interrupted,) = [one for one in found if one.startswith("recording 1 was interrupted")]
    assert interrupted.endswith(f"to {cut[1]}")
    assert any(one.startswith("recording 2 ends") and f"from {cut[2]} to" in one for one in found)
    assert not any(one.startswith("recording 1 ends") for one in found), "told once"


@pytest.mark.requirement("R29")
def test_a_recording_that_was_cut_off_before_its_first_picture_says_so_and_the_gap_spans_it(
    camera: Camera, agency: Agency, capsys: Out
) -> None:
    camera.event("boot")
    writer = camera.begin()
    camera.film(writer, 2)
    writer.commit()
    camera.restart(writer.path)
    for number in (2, 3):
        again = camera._writer("recording", number)
        camera._open(again, "critical", resumes=number - 1)
        again.seal_mp4("init", [b"init"])
        again.commit()
        camera.event("recording_opened", recording=number)
        if number == 2:
            camera.restart(again.path)
    camera.film(again, 1)
    camera.number = 3
    camera.end(again)
    camera.close_log()
    found = sentences(told(agency, capsys, camera.card))
    assert any(one.startswith("recording 2 was interrupted") and "it holds no picture" in one for one in found)
    (first,) = [one for one in found if one.startswith("recording 1 was interrupted")]
    (third,) = [one for one in found if one.startswith("recording 3 was started")]
    cut = re.search(r"NO PICTURES from (\S+) to ", third)
    assert cut is not None
    assert first.endswith(f"to {cut[1]}")


def test_a_state_and_a_finding_that_are_told_better_are_left_out_and_shown_with_all(
    camera: Camera, agency: Agency, capsys: Out
) -> None:
    camera.event("recording_opened", recording=1)
    camera.event("state", word="recording")
    camera.event("background_test", word="picture_black")
    camera.event("failure_began", recording=1, word="picture_black")
    camera.wait(60)
    camera.event("background_test", word="picture_covered")
    camera.event("state", word="recording")
    camera.close_log()
    short = sentences(told(agency, capsys, camera.card))
    assert short[1:-1] == [
        "recording 1 was started",
        "FAILURE began: the picture was black (recording 1)",
        "the camera noticed: the lens is covered",
        "the camera records",
    ]
    assert len(sentences(told(agency, capsys, camera.card, "--all"))) == len(short) + 2


def test_copies_are_told_once_and_a_missing_segment_is_named(
    camera: Camera, agency: Agency, capsys: Out, tmp_path: Path
) -> None:
    for _ in range(3):
        camera.event("boot")
        camera.close_log()
    copy = tmp_path / "copies"
    copy.mkdir()
    first, second, third = sorted(camera.card.glob("*.evidence"))
    (copy / first.name).write_bytes(first.read_bytes())
    assert len(sentences(told(agency, capsys, first, copy))) == 3
    text = "\n".join(told(agency, capsys, first, third))
    assert "log segment 2 is NOT HERE" in text
    assert second.exists()


def test_nothing_is_told_behind_a_broken_rule(camera: Camera, agency: Agency, capsys: Out) -> None:
    camera.event("boot")
    camera.event("docked")
    camera.event("undocked")
    path = camera.close_log()
    data = bytearray(path.read_bytes())
    at = data.index(b"docked")
    data[at : at + 6] = b"Docked"
    path.write_bytes(data)
    text = "\n".join(told(agency, capsys, path, code=1))
    assert "the camera was started" in text
    assert "taken out of the dock" not in text
    assert "NOT VALID: SIM-0001-log-000001.evidence: item 000002" in text


def test_a_foreign_vault_opens_nothing_and_says_so(
    camera: Camera, agency: Agency, real_agency: Agency, capsys: Out
) -> None:
    camera.event("boot", details={"boots": 7})
    camera.close_log()
    foreign = ("--vault-cert", real_agency.file("vault.pem"), "--vault-key", real_agency.file("vault.key"))
    assert main(["log", str(camera.card), "--root", agency.file("root.pem"), *foreign]) == 1
    shown = capsys.readouterr().out
    assert "the camera was started\n" in shown
    assert "not sealed to this vault certificate" in shown


def test_files_of_two_cameras_need_a_choice(agency: Agency, capsys: Out, tmp_path: Path) -> None:
    for serial, signer in (("SIM-0001", "camera"), ("SIM-0002", "camera-2")):
        one = Camera(agency, tmp_path / serial, serial=serial, signer=signer)
        one.event("boot")
        one.close_log()
    root = ("--root", agency.file("root.pem"))
    both = [str(tmp_path / "SIM-0001"), str(tmp_path / "SIM-0002")]
    assert main(["log", *both, *root]) == 64
    assert "name one with --camera (SIM-0001, SIM-0002)" in capsys.readouterr().err
    assert main(["log", *both, *root, "--camera", "SIM-0002"]) == 0
    assert "SIM-0002: 3 entries" in capsys.readouterr().out
    assert main(["log", *both, *root, "--camera", "SIM-0003"]) == 64
    assert main(["log", *root, agency.file("root.pem")]) == 2


def test_json_has_every_entry_with_its_sentence_and_one_recording_can_be_chosen(
    camera: Camera, agency: Agency, capsys: Out
) -> None:
    a_shift(camera)
    capsys.readouterr()
    vault = ("--vault-cert", agency.file("vault.pem"), "--vault-key", agency.file("vault.key"))
    assert main(["log", str(camera.card), "--root", agency.file("root.pem"), *vault, "--json", "--recording", "1"]) == 0
    rows: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["recording"] for row in rows} == {1}
    muted = next(row for row in rows if row["name"] == "muted")
    assert muted["sentence"] == "the officer muted the sound (recording 1)"
    assert muted["told_twice"] is True
    assert next(row for row in rows if row["name"] == "stop_reason")["details"]["supervisor"] == "consulted"


# --- the words ------------------------------------------------------------------------------------------


def language(text: str, **values: str) -> Language:
    return Language(entries={"e": Words(say=text)}, values=values)


def test_values_are_told_as_people_read_them() -> None:
    words = language("{a}; {b}; {c.d}; {e}; {f}", light_bar="the light bar")
    fields = {"a": "light_bar", "b": 2.50, "c": {"d": True}, "e": ["one_two", 3], "f": {"x_y": 4, "z": "w"}}
    assert words.sentence("e", fields) == "the light bar; 2.5; yes; one two, 3; 4 × x y, z w"
    assert words.sentence("e", {**fields, "b": None}) == "e", "a sentence with an unknown field is not told"
    long = language("{a}").sentence("e", {"a": "A" * 5000})
    assert len(long) < 700


def test_a_recording_is_named_once() -> None:
    fields = {"recording": 1, "other": "12"}
    assert language("x").sentence("e", fields) == "x (recording 1)"
    assert language("recording {recording} y").sentence("e", fields) == "recording 1 y"
    assert language("recording {other} y").sentence("e", fields) == "recording 12 y (recording 1)"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "entries"),
        ("[entries.a]\nsya = 'x'", "sya"),
        ("[entries.a]\nsay = 'x {'", "Single '{'"),
        ("[entries.a]\nsay = 'x {0}'", "a field is a name in braces"),
        ("[entries.a]\nsay = 'x {word.__class__!r}'\nmore = ['{1+1}']", "a field is a name"),
        ("[entries.a]\nsay = ''", "length >= 1"),
        ("[entries", "no file of words"),
        ("# " + "x" * 2_000_000, "larger"),
    ],
)
def test_a_bad_file_of_words_is_one_sentence(tmp_path: Path, text: str, wanted: str) -> None:
    path = tmp_path / "words.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(EvidenceError) as refused:
        load(path)
    assert wanted in str(refused.value)
    assert "\n" not in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=4,
)
LANGUAGE = load()
KNOWN = st.sampled_from(
    ["checks", "mutes", "failures", "zones_mc", "check", "start_ns", "end_ns", "frames", "officer", "after_pause"]
)
STAMP = {
    "v": 1,
    "serial": "SIM-0001",
    "stream": "log",
    "number": 1,
    "seq": 1,
    "prev": "0" * 64,
    "boot": "6b0e4f1c-1111-4222-8333-5a1e5d9b2e66",
    "mono_ns": 5,
    "utc": {"earliest": "2026-11-22T00:00:00.000000Z", "latest": "2026-11-22T00:00:01.000000Z", "source": "rtc"},
}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # other programs may hold the processor
@given(name=st.sampled_from(sorted(LANGUAGE.entries)), details=st.dictionaries(KNOWN, JSON, max_size=6))
def test_whatever_stands_in_the_details_there_is_a_sentence(name: str, details: dict[str, Any]) -> None:
    statement = msgspec.convert({**STAMP, "kind": "event", "event": name, "word": "x", "recording": 3}, Event)
    one = Entry(statement, "f", details)
    assert LANGUAGE.sentence(one.name, one.fields)
    assert json.dumps(values(one, "s"))


def test_another_language_tells_the_same_log(camera: Camera, agency: Agency, capsys: Out, tmp_path: Path) -> None:
    camera.event("docked")
    camera.close_log()
    path = tmp_path / "german.toml"
    path.write_text("[entries.docked]\nsay = 'in die Ladestation gestellt'\n", encoding="utf-8")
    text = "\n".join(told(agency, capsys, camera.card, "--words", path))
    assert "in die Ladestation gestellt" in text
