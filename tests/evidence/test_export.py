"""An exported MP4 plays anywhere and says the same as the camera's statements; ffmpeg and exiftool judge it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recordings import Agency

from evidence.__main__ import main
from evidence.export.items import walk

Tool = Callable[[str], str]
Record = Callable[..., Path]
GPX = "{http://www.topografix.com/GPX/1/1}"


def export(agency: Agency, path: Path, out: Path, *more: str) -> int:
    keys = ["--vault-cert", agency.file("vault.pem"), "--vault-key", agency.file("vault.key")]
    return main(["export", str(path), "--root", agency.file("root.pem"), *keys, "--out", str(out), *more])


def packets(tool: Tool, path: Path) -> dict[str, list[dict[str, Any]]]:
    shown = subprocess.run(
        [tool("ffprobe"), "-v", "error", "-show_packets", "-show_streams", "-count_frames", "-of", "json", path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr == ""
    found = json.loads(shown.stdout)
    tags = {one["index"]: one["codec_tag_string"] for one in found["streams"]}
    return {tag: [one for one in found["packets"] if one["stream_index"] == index] for index, tag in tags.items()} | {
        "streams": found["streams"]
    }


def decode_errors(tool: Tool, path: Path) -> str:
    command = [tool("ffmpeg"), "-v", "error", "-xerror", "-i", path, "-map", "0:v", "-map", "0:a?", "-f", "null", "-"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stderr + ("" if run.returncode == 0 else f"rc {run.returncode}")


def test_the_mp4_decodes_without_an_error_and_holds_every_sample(
    agency: Agency, recording: Path, tmp_path: Path, tool: Tool
) -> None:
    assert export(agency, recording, tmp_path) == 0
    mp4 = tmp_path / "SIM-0001-000001.mp4"
    assert decode_errors(tool, mp4) == ""
    found = packets(tool, mp4)
    assert {tag: len(found[tag]) for tag in ("avc1", "mp4a", "gpmd")} == {"avc1": 50, "mp4a": 94, "gpmd": 2}
    video = next(one for one in found["streams"] if one["codec_type"] == "video")
    assert video["nb_read_frames"] == "50"
    assert float(video["duration"]) == pytest.approx(2.0, abs=0.0001)  # the last picture lasts a tick longer
    assert float(video["start_time"]) == 0.0
    data = mp4.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "progressive: the index stands in front"
    assert b"moof" not in data


@pytest.mark.requirement("R1")
def test_decrypted_evidence_is_not_readable_by_everyone(agency: Agency, recording: Path, tmp_path: Path) -> None:
    export(agency, recording, tmp_path)
    assert {path.stat().st_mode & 0o007 for path in tmp_path.iterdir()} == {0}


def test_a_changed_commitment_stops_the_export(agency: Agency, record: Record, tmp_path: Path) -> None:
    """The camera signed one content and sealed another: decrypting alone would not notice."""
    path = record(wrong_commitment=True)
    assert main(["verify", str(path), "--root", agency.file("root.pem")]) == 0
    assert export(agency, path, tmp_path / "out") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_no_sample_is_changed(agency: Agency, recording: Path, tmp_path: Path, tool: Tool) -> None:
    export(agency, recording, tmp_path)
    plain = tmp_path / "fragments.mp4"
    plain.write_bytes(decrypted(agency, recording))

    def digest(path: Path, stream: str) -> str:
        command = [tool("ffmpeg"), "-v", "error", "-i", path, "-map", f"0:{stream}", "-c", "copy"]
        return subprocess.run([*command, "-f", "md5", "-"], capture_output=True, text=True, check=True).stdout

    for stream in ("v", "a"):
        assert digest(tmp_path / "SIM-0001-000001.mp4", stream) == digest(plain, stream)


def decrypted(agency: Agency, path: Path) -> bytes:
    from evidence.export.decrypt import Vault
    from evidence.export.items import ObjectItem, walk

    vault = Vault.load(agency.directory / "vault.pem", agency.directory / "vault.key")
    with path.open("rb") as file:
        objects = [item for item in walk(file) if isinstance(item, ObjectItem) and item.announced]
        return b"".join(
            vault.plaintext(file, one) for one in objects if one.announced and one.announced.object != "metadata"
        )


@pytest.mark.requirement("R5")
def test_the_report_names_verdict_triggers_and_the_hash_of_every_output(
    agency: Agency, recording: Path, tmp_path: Path
) -> None:
    export(agency, recording, tmp_path)
    report = json.loads((tmp_path / "SIM-0001-000001.json").read_text())
    assert report["source"]["verdict"] == "valid"
    assert report["source"]["sha256"] == hashlib.sha256(recording.read_bytes()).hexdigest()
    assert report["simulated"] is True
    assert report["triggers"] == ["record_button"]
    assert [one["kind"] for one in report["statements"]] == ["open", "event", "close"]
    assert report["exported"]["frames"] == report["source"]["frames"] == 50
    assert report["exported"]["discrepancies"] == []
    assert {one["name"] for one in report["outputs"]} == {f"SIM-0001-000001.{x}" for x in ("mp4", "gpx", "html")}
    for one in report["outputs"]:
        assert hashlib.sha256((tmp_path / one["name"]).read_bytes()).hexdigest() == one["sha256"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"SIM-0001-000001.{x}" for x in ("gpx", "html", "json", "mp4")
    ]


@pytest.mark.requirement("R5")
def test_the_gpx_holds_the_receivers_own_points_to_the_nanodegree(
    agency: Agency, record: Record, tmp_path: Path
) -> None:
    path = record(seconds=4, fix_in=(0, 1, 3))
    assert export(agency, path, tmp_path / "out") == 0
    track = ET.parse(tmp_path / "out" / f"{path.stem}.gpx").getroot()
    segments = track.findall(f".//{GPX}trkseg")
    assert [len(one) for one in segments] == [2, 1], "a second without a fix is a break, not a line"
    first = segments[0][0]
    assert (first.get("lat"), first.get("lon")) == ("47.123456789", "-8.000000001")
    assert first.findtext(f"{GPX}time") == "2026-09-21T14:13:20.000Z"
    assert first.findtext(f"{GPX}ele") == "408.000"


def test_a_recording_without_any_fix_has_no_point(agency: Agency, record: Record, tmp_path: Path) -> None:
    path = record(fix_in=())
    assert export(agency, path, tmp_path / "out") == 0
    assert "<trkpt" not in (tmp_path / "out" / f"{path.stem}.gpx").read_text()


def test_exiftool_reads_the_positions_from_the_video(
    agency: Agency, recording: Path, tmp_path: Path, tool: Tool
) -> None:
    export(agency, recording, tmp_path)
    command = [tool("exiftool"), "-ee", "-n", "-p", "$GPSLatitude $GPSLongitude", tmp_path / "SIM-0001-000001.mp4"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert float(shown[0]) == pytest.approx(47.1234568)
    assert float(shown[1]) == pytest.approx(-8.0)


def test_a_video_that_begins_late_and_has_a_hole_keeps_its_times(
    agency: Agency, record: Record, tmp_path: Path, tool: Tool
) -> None:
    path = record(seconds=3, hole_after=0, first_tick=10 * 3600 * 90_000)
    assert export(agency, path, tmp_path / "out") == 0
    mp4 = tmp_path / "out" / f"{path.stem}.mp4"
    found = packets(tool, mp4)
    times = [float(one["pts_time"]) for one in found["avc1"]]
    assert times[0] == 0
    assert times[25] == pytest.approx(11.0)
    assert times[-1] == pytest.approx(12.96)
    assert float(found["mp4a"][47]["pts_time"]) == pytest.approx(11.0, abs=0.001)
    assert decode_errors(tool, mp4) == ""


@pytest.mark.requirement("R3")
def test_sound_that_begins_later_stays_in_sync(agency: Agency, record: Record, tmp_path: Path, tool: Tool) -> None:
    path = record(seconds=3, sound_in=(1, 2), sound_delay=240)
    assert export(agency, path, tmp_path / "out") == 0
    found = packets(tool, tmp_path / "out" / f"{path.stem}.mp4")
    assert float(found["mp4a"][0]["pts_time"]) == pytest.approx(1.005, abs=0.0001)
    assert len(found["mp4a"]) == 94


@pytest.mark.requirement("R3")
def test_missing_sound_stays_absent(agency: Agency, record: Record, tmp_path: Path, tool: Tool) -> None:
    """Never silence in its place: neither without an audio track nor with one that stays empty."""
    for number, heard in ((1, ()), (2, (99,))):
        path = record(number=number, sound_in=heard)
        assert export(agency, path, tmp_path / "out") == 0
        found = packets(tool, tmp_path / "out" / f"{path.stem}.mp4")
        assert "mp4a" not in found
        assert len(found["avc1"]) == 50


def test_the_signed_report_verifies_with_openssl(agency: Agency, recording: Path, tmp_path: Path, tool: Tool) -> None:
    signing = ["--sign-cert", agency.file("export.pem"), "--sign-key", agency.file("export.key")]
    assert export(agency, recording, tmp_path, *signing) == 0
    report = tmp_path / "SIM-0001-000001.json"
    command = [tool("openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", f"{report}.p7s"]
    shown = subprocess.run([*command, "-CAfile", agency.file("root.pem")], capture_output=True, check=True)
    assert shown.stdout == report.read_bytes()


def test_a_camera_key_may_not_sign_reports(
    agency: Agency, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signing = ["--sign-cert", agency.file("camera.pem"), "--sign-key", agency.file("camera.key")]
    assert export(agency, recording, tmp_path, *signing) == 64
    assert "export role" in capsys.readouterr().err


def test_outputs_are_not_replaced_unless_forced(agency: Agency, recording: Path, tmp_path: Path) -> None:
    assert export(agency, recording, tmp_path) == 0
    before = (tmp_path / "SIM-0001-000001.mp4").read_bytes()
    assert export(agency, recording, tmp_path) == 2
    assert export(agency, recording, tmp_path, "--force") == 0
    assert (tmp_path / "SIM-0001-000001.mp4").read_bytes() == before


def test_an_invalid_file_is_exported_only_when_forced_and_is_labelled(
    agency: Agency, record: Record, tmp_path: Path
) -> None:
    path = record(close=False)
    out = tmp_path / "out"
    assert export(agency, path, out) == 1
    assert not out.exists()
    assert export(agency, path, out, "--force") == 1
    assert sorted(one.name for one in out.iterdir()) == [
        f"{path.stem}.NOT-VALID.{x}" for x in ("gpx", "html", "json", "mp4")
    ]
    assert b"NOT VALID EVIDENCE" in (out / f"{path.stem}.NOT-VALID.mp4").read_bytes()
    assert json.loads((out / f"{path.stem}.NOT-VALID.json").read_text())["source"]["verdict"] == "not valid"


@pytest.mark.requirement("R1")
def test_a_wrong_vault_key_leaves_nothing_behind(
    agency: Agency, real_agency: Agency, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = ["--vault-cert", real_agency.file("vault.pem"), "--vault-key", real_agency.file("vault.key")]
    out = tmp_path / "out"
    assert main(["export", str(recording), "--root", agency.file("root.pem"), *keys, "--out", str(out)]) == 1
    assert "not sealed to this vault certificate" in capsys.readouterr().err
    assert not out.exists()


def test_only_export_loads_pyav() -> None:
    code = "import sys, evidence.__main__, evidence.verify, evidence.recovery; assert 'av' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_export_without_pyav_names_the_extra(
    agency: Agency,
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [one for one in sys.modules if one.startswith("evidence.export.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    assert export(agency, recording, tmp_path) == 64
    assert "pip install 'firsthand[export]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("part", "left", "proven"),
    [("open", 0, 0), ("init", 0, 0), ("first fragment", 25, 0), ("second statement", 50, 25), ("close", 50, 50)],
)
def test_whatever_is_damaged_the_rest_can_be_exported_by_force(
    agency: Agency, recording: Path, tmp_path: Path, part: str, left: int, proven: int
) -> None:
    number = {"open": 0, "init": 2, "first fragment": 4, "second statement": 5, "close": 12}[part]
    with recording.open("rb") as file:
        item = next(one for one in walk(file) if one.number == number)
    data = bytearray(recording.read_bytes())
    data[item.offset + item.size - 9] ^= 1
    path = tmp_path / "SIM-0001-000001.evidence"
    path.write_bytes(data)
    if part == "open":  # who signed is unknown: nothing is exported, forced or not
        assert export(agency, path, tmp_path / "out", "--force") == 1
        assert not (tmp_path / "out").exists()
        return
    assert export(agency, path, tmp_path / "out", "--force") == 1
    report = json.loads((tmp_path / "out" / "SIM-0001-000001.NOT-VALID.json").read_text())
    assert report["exported"]["frames"] == left
    assert report["source"]["findings"]
    assert f"only {proven} of the {left} exported frames" in report["exported"]["discrepancies"][-1]
