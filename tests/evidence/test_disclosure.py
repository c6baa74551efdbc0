"""A disclosed part of a recording is proven by the camera's own signatures, and every edit of it is named (issue 3)."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import Agency

from evidence.__main__ import main
from evidence.disclosure import Selection, parse_items, parse_time
from evidence.disclosure_package import is_package
from evidence.errors import BadSelection

Tool = Callable[[str], str]


def disclose(agency: Agency, recording: Path, out: Path, *chosen: str) -> int:
    vault = ["--vault-cert", agency.file("vault.pem"), "--vault-key", agency.file("vault.key")]
    return main(["disclose", str(recording), "--root", agency.file("root.pem"), *vault, *chosen, "--out", str(out)])


@pytest.fixture(scope="module")
def pristine(agency: Agency, recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second second, and the metadata with the labels: items 2 (init), 6 (media), 9 and 11 (metadata)."""
    package = tmp_path_factory.mktemp("disclosed") / "package"
    assert disclose(agency, recording, package, "--from", "00:00:01", "--to", "00:00:02", "--objects", "11") == 0
    return package


@pytest.fixture
def package(pristine: Path, tmp_path: Path) -> Path:
    """A copy to be tampered with."""
    return Path(shutil.copytree(pristine, tmp_path / "package"))


class Judge:
    """`verify PACKAGE` with its code and words."""

    def __init__(self, agency: Agency, capsys: pytest.CaptureFixture[str]) -> None:
        self._root, self._capsys = agency.file("root.pem"), capsys

    def __call__(self, package: Path, *options: str) -> tuple[int, str]:
        self._capsys.readouterr()
        code = main(["verify", str(package), "--root", self._root, *options])
        shown = self._capsys.readouterr()
        return code, shown.out + shown.err


@pytest.fixture
def judge(agency: Agency, capsys: pytest.CaptureFixture[str]) -> Judge:
    return Judge(agency, capsys)


def edit(path: Path, before: bytes, after: bytes) -> None:
    data = path.read_bytes()
    assert len(before) == len(after)
    assert before in data
    path.write_bytes(data.replace(before, after, 1))


# --- what holds -------------------------------------------------------------------------------------------------------


def test_a_disclosed_second_verifies_without_any_vault_key_and_says_what_is_omitted(
    pristine: Path, judge: Judge
) -> None:
    code, shown = judge(pristine)
    assert code == 0
    assert "25 frames, 47 sound frames, 1 GPS fix, 1 metadata object" in shown
    assert "omitted    00:00:00.000 to 00:00:01.000: 1 media object (item 4), 25 frames" in shown
    assert "omitted    item 9: metadata" in shown
    assert sorted(path.name for path in (pristine / "objects").iterdir()) == [
        "000002-init.mp4", "000006-media.m4s", "000011-metadata.json",
    ]  # fmt: skip


def test_openssl_alone_proves_it_with_the_commands_of_the_page(
    package: Path, agency: Agency, tool: Tool, tmp_path: Path
) -> None:
    tool("openssl")
    found = re.search(r"<pre id=check>(.*?)</pre>", (package / "README.html").read_text("utf-8"), re.DOTALL)
    assert found is not None
    script = tmp_path / "check.sh"
    script.write_text(html.unescape(found[1]))
    command = ["sh", str(script), agency.file("root.pem")]
    good = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.count("proven: ") == 3
    edit(package / "objects" / "000011-metadata.json", b"4711", b"4712")
    bad = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert "NOT VALID: objects/000011-metadata.json" in bad.stdout
    (package / "objects" / "000011-metadata.json").rename(package / "objects" / "000012-metadata.json")
    assert subprocess.run(command, cwd=package, capture_output=True, check=False).returncode == 1


def test_the_disclosed_video_plays(pristine: Path, tool: Tool) -> None:
    command = [tool("ffprobe"), "-v", "error", "-count_frames", "-of", "json", "-show_entries"]
    command += ["stream=codec_name,nb_read_frames", pristine / "video.mp4"]  # type: ignore[list-item]
    streams = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"]
    assert [(one["codec_name"], one["nb_read_frames"]) for one in streams[:2]] == [("h264", "25"), ("aac", "47")]


def test_a_zip_of_it_verifies_too_also_one_made_by_hand(
    agency: Agency, recording: Path, pristine: Path, judge: Judge, tmp_path: Path
) -> None:
    assert disclose(agency, recording, tmp_path / "made.zip", "--objects", "4") == 0
    assert judge(tmp_path / "made.zip")[0] == 0
    shutil.make_archive(str(tmp_path / "by-hand"), "zip", pristine.parent, pristine.name)
    assert judge(tmp_path / "by-hand.zip")[0] == 0


def test_the_manifest_names_the_package_and_json_tells_a_machine(pristine: Path, judge: Judge) -> None:
    assert is_package(pristine / "manifest.json")
    code, shown = judge(pristine / "manifest.json", "--json")
    document = json.loads(shown)["files"][0]
    assert (code, document["verdict"], document["disclosed"], document["omitted"]) == (0, "valid", [2, 6, 11], [4, 9])


def test_metadata_is_disclosed_only_by_its_number(agency: Agency, recording: Path, tmp_path: Path) -> None:
    assert disclose(agency, recording, tmp_path / "all", "--from", "0") == 0
    assert not list((tmp_path / "all" / "objects").glob("*metadata*"))


def test_a_recording_that_a_crash_cut_off_is_disclosed_after_recovery(
    agency: Agency, record: Callable[..., Path], judge: Judge, tmp_path: Path
) -> None:
    path = record(close=False)
    path.write_bytes(path.read_bytes()[:-100])  # the last object, announced, is not whole
    assert disclose(agency, path, tmp_path / "early", "--objects", "4") == 1
    main(["recover", str(path), "--key", agency.file("camera.key")])
    assert disclose(agency, path, tmp_path / "package", "--objects", "4") == 0
    assert judge(tmp_path / "package")[0] == 0


# --- what does not ----------------------------------------------------------------------------------------------------


def test_an_edited_label_is_named(package: Path, judge: Judge) -> None:
    edit(package / "objects" / "000011-metadata.json", b"4711", b"4712")
    code, shown = judge(package)
    assert code == 1
    assert "objects/000011-metadata.json: item 000011: this is not the metadata that seq 6 committed to" in shown


def test_an_edited_position_is_named(package: Path, judge: Judge) -> None:
    path = package / "objects" / "000006-media.m4s"
    data = path.read_bytes()
    place = data.index(b"GPS9") + 14  # inside the sample of the KLV item
    path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    code, shown = judge(package)
    assert code == 1
    assert "objects/000006-media.m4s" in shown


def test_every_byte_of_a_disclosed_fragment_counts_sound_and_salt_too(package: Path, judge: Judge) -> None:
    path = package / "objects" / "000006-media.m4s"
    data = path.read_bytes()
    for place in (*range(100, len(data), len(data) // 12), len(data) - 1):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :])
        code, shown = judge(package)
        assert code == 1, place
        assert "objects/000006-media.m4s" in shown


def test_swapped_objects_are_named(agency: Agency, recording: Path, judge: Judge, tmp_path: Path) -> None:
    assert disclose(agency, recording, tmp_path / "p", "--objects", "4,6") == 0
    first, second = tmp_path / "p/objects/000004-media.m4s", tmp_path / "p/objects/000006-media.m4s"
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)
    code, shown = judge(tmp_path / "p")
    assert code == 1
    assert "objects/000004-media.m4s" in shown
    assert "objects/000006-media.m4s" in shown


@pytest.mark.parametrize("dropped", ["000000-open", "000003-sealed", "000007-event", "000012-close"])
def test_a_dropped_statement_is_named(package: Path, judge: Judge, dropped: str) -> None:
    (package / "statements" / f"{dropped}.p7s").unlink()
    code, shown = judge(package)
    assert code == 1
    assert "finding" in shown


def test_a_foreign_plaintext_is_named(package: Path, judge: Judge) -> None:
    shutil.copy(package / "objects" / "000006-media.m4s", package / "objects" / "000008-media.m4s")
    code, shown = judge(package)
    assert code == 1
    assert "objects/000008-media.m4s: the camera signed no such object" in shown


@pytest.mark.parametrize("name", ["extra.txt", "objects/../../evil", "objects/000006-media.mp4", "statements/x.p7s"])
def test_any_other_file_is_named(package: Path, judge: Judge, name: str) -> None:
    path = package / name.replace("..", "dots")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    code, shown = judge(package)
    assert code == 1
    assert "does not belong into a package" in shown


def test_a_link_is_not_followed(package: Path, judge: Judge, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    shutil.move(package / "objects" / "000011-metadata.json", secret)
    (package / "objects" / "000011-metadata.json").symlink_to(secret)
    code, shown = judge(package)
    assert code == 1
    assert "000011-metadata.json" in shown


def test_a_video_of_other_pictures_is_named(package: Path, judge: Judge) -> None:
    data = (package / "video.mp4").read_bytes()
    (package / "video.mp4").write_bytes(data[:-40] + b"\0" + data[-39:])
    assert judge(package) == (1, judge(package)[1])
    assert "video.mp4 is not made of the disclosed objects" in judge(package)[1]
    (package / "video.mp4").unlink()
    assert "video.mp4 is missing" in judge(package)[1]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b'"omitted":[{', b'"omitted":[],"x":[{', "unknown field"),
        (b'"frames":25', b'"frames":26', "disclosed"),
        (b'"serial":"SIM-0001"', b'"serial":"SIM-0002"', "serial"),
        (b'"item":6', b'"item":6,"path":"../../etc/passwd"', "manifest.json"),
    ],
)
def test_a_manifest_says_nothing_of_its_own(
    package: Path, judge: Judge, before: bytes, after: bytes, said: str
) -> None:
    path = package / "manifest.json"
    data = path.read_bytes()
    assert before in data
    path.write_bytes(data.replace(before, after, 1))
    code, shown = judge(package)
    assert code == 1
    assert "manifest.json" in shown
    assert said in shown


def test_a_zip_cannot_point_outside_or_name_a_file_twice(pristine: Path, judge: Judge, tmp_path: Path) -> None:
    for number, name in enumerate(("../../evil", "/etc/evil", "objects/../../evil")):
        made = Path(shutil.make_archive(str(tmp_path / f"zip-{number}"), "zip", pristine))
        with zipfile.ZipFile(made, "a") as archive:
            archive.writestr(name, "x")
        assert judge(made)[0] == 1
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(made, "a") as archive:
        archive.writestr("manifest.json", "{}")
    assert judge(made)[0] == 2


def test_another_root_proves_nothing(pristine: Path, real_agency: Agency, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(pristine), "--root", real_agency.file("root.pem")]) == 1
    assert "simulated footage under a production root" in capsys.readouterr().out


def test_what_is_no_package_is_said_so(judge: Judge, tmp_path: Path) -> None:
    assert judge(tmp_path)[0] == 2
    (tmp_path / "x.zip").write_bytes(b"PK no zip")
    assert judge(tmp_path / "x.zip")[0] == 2


# --- what was asked for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", [["--objects", "3"], ["--objects", "999"], ["--from", "1:00:00"], []])
def test_what_is_not_there_cannot_be_disclosed(
    agency: Agency, recording: Path, tmp_path: Path, chosen: list[str]
) -> None:
    assert disclose(agency, recording, tmp_path / "p", *chosen) == 64
    assert list(tmp_path.iterdir()) == []


def test_numbers_and_times_are_read_strictly() -> None:
    assert parse_items("4,6,10-20") == (range(4, 5), range(6, 7), range(10, 21))
    assert parse_time("00:01:30.5") == 90_500_000_000
    assert parse_time("90") == 90 * 10**9
    for text in ("", "4,", "7-4", "-1", "x", "1-2-3"):
        with pytest.raises(BadSelection):
            parse_items(text)
    for text in ("", "-1", "1:2:3:4", "1.", "a"):
        with pytest.raises(BadSelection):
            parse_time(text)
    with pytest.raises(BadSelection):
        Selection(from_ns=0).choose({})
