"""`firsthand-evidence` from a technician's chair: exit codes, one-sentence errors, readable output."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import Agency, Recipe, write_recording

from evidence.__main__ import main
from evidence.cli.recover import key_path
from evidence.errors import BadKey
from evidence.sealed import seal

Record = Callable[..., Path]
Out = pytest.CaptureFixture[str]
VERBS = ("verify", "log", "inspect", "unpack", "export", "recover")


def verify(agency: Agency, *paths: Path, more: tuple[str, ...] = ()) -> int:
    return main(["verify", *map(str, paths), "--root", agency.file("root.pem"), *more])


def usage(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.fixture
def damaged(recording: Path, tmp_path: Path) -> Path:
    data = bytearray(recording.read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "damaged" / recording.name
    path.parent.mkdir()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(verb: str, capsys: Out) -> None:
    assert usage(verb, "--help") == 0
    shown = capsys.readouterr().out
    assert f"firsthand-evidence {verb} " in shown[shown.index("example:") :]
    assert "exit codes:" in shown


@pytest.mark.parametrize(
    "arguments",
    [(), ("vrify",), ("verify",), ("verify", "x"), ("verify", "x", "--root"), ("unpack", "x"), ("--verify",)],
)
def test_wrong_usage_is_64_and_one_line(arguments: tuple[str, ...], capsys: Out) -> None:
    assert usage(*arguments) == 64
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


def test_a_bad_time_is_wrong_usage(recording: Path, agency: Agency) -> None:
    assert usage("verify", str(recording), "--root", agency.file("root.pem"), "--at", "noon") == 64


@pytest.mark.parametrize("root", ["absent.pem", "camera.pem", "camera.key", "vault.pem"])
def test_a_root_that_is_none_is_wrong_usage(recording: Path, agency: Agency, root: str, capsys: Out) -> None:
    assert main(["verify", str(recording), "--root", agency.file(root)]) == 64
    assert capsys.readouterr().err.count("\n") == 1


def test_a_valid_file_is_0_and_tells_what_it_holds(agency: Agency, recording: Path, capsys: Out) -> None:
    assert verify(agency, recording) == 0
    shown = capsys.readouterr().out
    for words in (
        "VALID (simulated, not evidence)",
        "key level  file (as the certificate states it)",
        "2 fragments, 50 frames, 94 sound frames, 2 GPS fixes",
        "duration   2.000 s",
        "clock source: ntp",
    ):
        assert words in shown


def test_an_invalid_file_is_1_and_names_the_item(agency: Agency, damaged: Path, capsys: Out) -> None:
    assert verify(agency, damaged) == 1
    shown = capsys.readouterr().out
    assert "NOT VALID" in shown
    assert "finding    item 0000" in shown


def test_a_file_in_progress_is_1(agency: Agency, record: Record, capsys: Out) -> None:
    assert verify(agency, record(close=False)) == 1
    assert "not closed" in capsys.readouterr().out


def test_simulated_under_a_production_root_is_1_and_says_so(real_agency: Agency, recording: Path, capsys: Out) -> None:
    assert verify(real_agency, recording) == 1
    assert "item 000000" in (shown := capsys.readouterr().out)
    assert "simulated footage under a production root" in shown


def test_what_is_no_evidence_is_2(agency: Agency, tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "noise").write_bytes(os.urandom(5000))
    for path in (tmp_path / "empty", tmp_path / "noise", tmp_path, tmp_path / "absent"):
        assert verify(agency, path) == 2
    said = capsys.readouterr()
    assert "EMPTY" in said.out
    assert "NO EVIDENCE" in said.out
    assert said.err.count("\n") == 2


def test_the_worst_of_several_files_counts(agency: Agency, recording: Path, damaged: Path, tmp_path: Path) -> None:
    assert verify(agency, recording, recording) == 0
    assert verify(agency, damaged, recording) == 1
    assert verify(agency, recording, tmp_path / "absent", damaged) == 2


def test_json_says_the_same_to_programs(agency: Agency, recording: Path, damaged: Path, capsys: Out) -> None:
    assert verify(agency, recording, damaged, more=("--json",)) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 1
    assert [one["verdict"] for one in told["files"]] == ["valid", "not valid"]
    assert told["files"][0]["frames"] == 50
    assert told["files"][1]["findings"]


def test_the_clock_of_a_camera_without_time_is_judged_at_the_given_time(agency: Agency, record: Record) -> None:
    path = record(time_source="none")
    assert verify(agency, path) == 0
    assert verify(agency, path, more=("--at", "1999-12-31")) == 1
    assert verify(agency, path, more=("--at", "2099-12-31T00:00:00Z")) == 1


def test_inspect_shows_every_item_and_the_metadata(agency: Agency, recording: Path, capsys: Out) -> None:
    vault = ["--vault-cert", agency.file("vault.pem"), "--vault-key", agency.file("vault.key")]
    assert main(["inspect", str(recording)]) == 0
    assert "4711" not in capsys.readouterr().out
    assert main(["inspect", str(recording), *vault]) == 0
    shown = capsys.readouterr().out
    assert '| officer: "4711"' in shown
    assert "salt" not in shown
    assert [line[:6] for line in shown.splitlines() if line[:6].isdigit()] == [f"{n:06d}" for n in range(13)]
    assert main(["inspect", str(recording), *vault, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0]["statement"]["serial"] == "SIM-0001"
    assert rows[11]["metadata"]["officer"] == "4711"


@pytest.mark.parametrize("place", [0, 5, 1000, 2700, 20_000, 40_000, 60_000])
def test_inspect_shows_what_is_readable_of_any_file(
    agency: Agency, recording: Path, tmp_path: Path, place: int
) -> None:
    vault = ["--vault-cert", agency.file("vault.pem"), "--vault-key", agency.file("vault.key")]
    data = bytearray(recording.read_bytes())
    data[place] ^= 0x10
    path = tmp_path / "x.evidence"
    for altered in (bytes(data), bytes(data[:place]), bytes(data[place:]), bytes(seal([b"x"], [agency.recipient]))):
        path.write_bytes(altered)
        for more in ([], ["--json"], vault):
            assert main(["inspect", str(path), *more]) in (0, 2)


def test_text_from_a_file_cannot_steer_the_terminal(agency: Agency, record: Record, capsys: Out) -> None:
    path = record(metadata={"officer": "\x1b[2Jx"})
    vault = ["--vault-cert", agency.file("vault.pem"), "--vault-key", agency.file("vault.key")]
    assert main(["inspect", str(path), *vault]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_recover_without_a_key_only_reports(record: Record, recording: Path, tmp_path: Path, capsys: Out) -> None:
    assert main(["recover", str(recording)]) == 0
    path = record(close=False)
    path.write_bytes(path.read_bytes()[:-50])
    before = path.read_bytes()
    capsys.readouterr()
    assert main(["recover", str(path)]) == 1
    said = capsys.readouterr()
    assert "needs recovery" in said.out
    assert "--key" in said.err
    assert path.read_bytes() == before
    (tmp_path / "empty").touch()
    (tmp_path / "noise").write_bytes(b"noise" * 99)
    for other in (tmp_path / "empty", tmp_path / "noise", tmp_path, tmp_path / "absent"):
        assert main(["recover", str(other)]) == 2


@pytest.mark.parametrize("uri", ["{}", "file:{}", "file://{}"])
def test_recover_with_the_cameras_key_closes_the_file(agency: Agency, record: Record, uri: str, capsys: Out) -> None:
    path = record(close=False)
    torn = path.read_bytes()[:-50]
    path.write_bytes(torn)
    assert main(["recover", str(path), "--key", uri.format(agency.file("camera.key"))]) == 0
    shown = capsys.readouterr().out
    assert "recovered and closed" in shown
    assert "lost       metadata object" in shown
    assert verify(agency, path) == 0
    assert "recovered after a crash" in capsys.readouterr().out
    assert main(["recover", str(path), "--key", agency.file("camera.key")]) == 0
    assert "nothing to recover" in capsys.readouterr().out


def test_only_the_camera_itself_can_close_its_file(agency: Agency, record: Record) -> None:
    path = record(close=False)
    before = path.read_bytes()
    assert main(["recover", str(path), "--key", agency.file("camera-2.key")]) == 64
    assert main(["recover", str(path), "--key", agency.file("station-receipt.key")]) != 0
    assert main(["recover", str(path), "--key", agency.file("absent.key")]) == 64
    assert path.read_bytes() == before


def test_a_file_of_another_agency_is_not_moved_away(real_agency: Agency, record: Record) -> None:
    path = record()
    assert main(["recover", str(path), "--key", real_agency.file("camera.key")]) == 2
    assert path.exists()
    assert not (path.parent / "aside").exists()


def test_keys_in_hardware_are_refused_in_words() -> None:
    assert key_path("/a/b.key") == Path("/a/b.key")
    assert key_path("file:///a/b%20c.key") == Path("/a/b c.key")
    with pytest.raises(BadKey, match="path or a file: URI"):
        key_path("pkcs11:token=x")


def test_a_key_that_others_can_read_is_refused_in_words(
    agency: Agency, recording: Path, tmp_path: Path, capsys: Out
) -> None:
    key = tmp_path / "vault.key"
    shutil.copy(agency.file("vault.key"), key)
    key.chmod(0o644)
    vault = ["--vault-cert", agency.file("vault.pem"), "--vault-key", str(key)]
    assert main(["inspect", str(recording), *vault]) == 64
    assert "chmod 600" in capsys.readouterr().err


def test_a_reader_that_stops_reading_is_no_error(recording: Path) -> None:
    command = f"{sys.executable} -m evidence inspect {recording} | head -1"
    run = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert run.stderr == b""


def test_a_device_log_has_no_media(agency: Agency, tmp_path: Path, capsys: Out) -> None:
    path = write_recording(agency, tmp_path, Recipe(stream="log", kind="simulated"))
    assert path.name == "SIM-0001-log-000001.evidence"
    assert verify(agency, path) == 0
    shown = capsys.readouterr().out
    assert "device log segment 1" in shown
    assert "renamed" not in shown
    assert "fragment" not in shown
    keys = ["--vault-cert", agency.file("vault.pem"), "--vault-key", agency.file("vault.key")]
    assert main(["export", str(path), "--root", agency.file("root.pem"), *keys, "--out", str(tmp_path / "out")]) == 0
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["SIM-0001-log-000001.json"]
