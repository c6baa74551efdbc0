"""Unpacked files are what openssl opens, and together they are the evidence file again."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import Agency

from evidence.__main__ import main
from evidence.cli.unpack import unpack
from evidence.sealed import seal

Tool = Callable[[str], str]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def joined(directory: Path) -> bytes:
    return b"".join((directory / name).read_bytes() for name in names(directory))


@pytest.fixture(scope="module")
def parts(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("parts")
    assert main(["unpack", str(recording), "--out", str(directory)]) == 0
    return directory


def test_every_message_is_a_file_named_by_number_and_kind(parts: Path, recording: Path) -> None:
    assert names(parts) == [
        "000000-open.p7s",
        "000001-sealed.p7s",
        "000002-init.p7",
        "000003-sealed.p7s",
        "000004-media.p7",
        "000005-sealed.p7s",
        "000006-media.p7",
        "000007-event.p7s",
        "000008-sealed.p7s",
        "000009-metadata.p7",
        "000010-sealed.p7s",
        "000011-metadata.p7",
        "000012-close.p7s",
    ]
    assert joined(parts) == recording.read_bytes()


def test_openssl_verifies_every_statement_with_the_root_alone(parts: Path, agency: Agency, tool: Tool) -> None:
    for path in sorted(parts.glob("*.p7s")):
        command = [tool("openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", path]
        shown = subprocess.run([*command, "-CAfile", agency.file("root.pem")], capture_output=True, check=True)
        assert json.loads(shown.stdout)["kind"] == path.name[7:-4]


def test_openssl_opens_every_object_and_finds_what_the_statement_committed_to(
    parts: Path, agency: Agency, tool: Tool, tmp_path: Path
) -> None:
    movie = b""
    for path in sorted(parts.glob("*.p7")):
        statement = parts / f"{int(path.name[:6]) - 1:06d}-sealed.p7s"
        command = [tool("openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", statement]
        command += ["-CAfile", agency.file("root.pem")]
        announced = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        assert announced["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        command = [tool("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", path]
        command += ["-recip", agency.file("vault.pem"), "-inkey", agency.file("vault.key")]
        plain = subprocess.run(command, capture_output=True, check=True).stdout
        assert hashlib.sha256(plain).hexdigest() == announced["commitment"]
        movie += plain if announced["object"] in ("init", "media") else b""
    path = tmp_path / "movie.mp4"
    path.write_bytes(movie)
    command = [tool("ffmpeg"), "-v", "error", "-xerror", "-i", path, "-map", "0:v", "-map", "0:a", "-f", "null", "-"]
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""


def test_a_directory_that_is_not_empty_is_refused(recording: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    assert main(["unpack", str(recording), "--out", str(tmp_path)]) == 2
    assert names(tmp_path) == ["mine.txt"]


@pytest.mark.parametrize("cut", [1, 700, 3000, 9000, 30_000])
def test_a_cut_file_comes_apart_and_together_again(recording: Path, tmp_path: Path, cut: int) -> None:
    damaged = tmp_path / "x.evidence"
    damaged.write_bytes(recording.read_bytes()[:-cut])
    assert main(["unpack", str(damaged), "--out", str(tmp_path / "parts")]) == 0
    assert joined(tmp_path / "parts") == damaged.read_bytes()
    assert names(tmp_path / "parts")[-1].endswith("-rest.bin")


def test_damage_is_told_in_the_names(
    recording: Path, parts: Path, agency: Agency, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orphan = bytes(seal([b"evil"], [agency.recipient]))
    items = [(parts / name).read_bytes() for name in names(parts)]
    items[7] = items[7][:-5] + b"\0" + items[7][-4:]  # inside the event's signature: it still splits
    items.insert(7, orphan)
    damaged = tmp_path / "x.evidence"
    damaged.write_bytes(b"".join(items) + b"garbage, 30 bytes of it, no DER")
    assert main(["unpack", str(damaged), "--out", str(tmp_path / "parts")]) == 0
    found = names(tmp_path / "parts")
    assert found[7:9] == ["000007-orphan.p7", "000008-event.p7s"]
    assert found[-1] == "000014-rest.bin"
    assert joined(tmp_path / "parts") == damaged.read_bytes()
    assert "000007-orphan.p7" in capsys.readouterr().err


def test_more_items_than_six_digits_can_number_still_sort(recording: Path, tmp_path: Path) -> None:
    unpack(recording, tmp_path / "parts", most=5)
    assert names(tmp_path / "parts")[-1] == "000005-rest.bin"
    assert joined(tmp_path / "parts") == recording.read_bytes()


@pytest.mark.parametrize("data", [b"", b"\x30", b"not evidence at all" * 100])
def test_what_is_no_evidence_is_said_so(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.evidence"
    path.write_bytes(data)
    assert main(["unpack", str(path), "--out", str(tmp_path / "parts")]) == 2
    assert joined(tmp_path / "parts") == data
