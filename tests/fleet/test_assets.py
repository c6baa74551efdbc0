"""The asset log and the labels: which card is whose, and what stands on the camera."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence.statements import encode_canonical
from fleet.__main__ import main
from fleet.assets import AssetLog, Checked, Flashed, last_of, read_assets
from fleet.errors import BadAssetLog, BadAuthority
from fleet.flash.label import Label, check_target, write_labels


def flashed(result: str = "began", serial: str = "CAM-0042", **values: Any) -> Flashed:
    facts: dict[str, Any] = {"board": "bodycam-zero2w", "version": "1.4.2", "image_sha256": "a" * 64}
    facts |= {"device": "/dev/sdb", "card_model": "Generic", "card_serial": "-", "card_bytes": 32 * 10**9}
    facts |= {"v": 1, "at": "2026-11-22T19:00:00.000000Z", "technician": "T. Example"}
    return Flashed(result=result, serial=serial, **{**facts, **values})  # type: ignore[arg-type]


CHECKED = Checked(
    v=1,
    at="2026-11-23T08:00:00.000000Z",
    serial="CAM-0042",
    verdict="warn",
    firmware="1.4.2",
    technician="T. Example",
    report="CAM-0042.json",
)


@pytest.mark.parametrize("last", ["ready", "began"])
def test_a_serial_is_flashed_again_only_with_a_reason(tmp_path: Path, last: str) -> None:
    log = AssetLog(tmp_path / "assets.jsonl")
    log.begin(flashed())
    if last == "ready":
        log.add(flashed("ready"))
    with pytest.raises(BadAssetLog, match=r"CAM-0042 was flashed on 2026-11-22 by T\. Example and"):
        log.begin(flashed())
    log.begin(flashed(again="the card was crushed"))
    assert last_of(log.read())["CAM-0042"].again == "the card was crushed"


@pytest.mark.parametrize("last", ["failed", "interrupted"])
def test_a_serial_whose_card_failed_is_simply_flashed_again(tmp_path: Path, last: str) -> None:
    log = AssetLog(tmp_path / "assets.jsonl")
    log.begin(flashed())
    log.add(flashed(last, why="bad card"))
    log.begin(flashed())
    assert [one.result for one in log.read() if isinstance(one, Flashed)] == ["began", last, "began"]


def test_a_line_that_a_power_cut_tore_is_cut_off(tmp_path: Path) -> None:
    log = AssetLog(tmp_path / "assets.jsonl")
    log.begin(flashed())
    with log.path.open("ab") as file:
        file.write(encode_canonical(flashed("ready"))[:70])
    assert len(log.read()) == 1
    log.add(flashed("failed"))
    assert [one.result for one in log.read() if isinstance(one, Flashed)] == ["began", "failed"]


@pytest.mark.parametrize("lost", [range(70), range(30, 90), range(90, 10_000), range(10_000)])
def test_a_line_whose_sectors_a_power_cut_lost_is_cut_off(tmp_path: Path, lost: range) -> None:
    log = AssetLog(tmp_path / "assets.jsonl")
    log.begin(flashed())
    line = bytearray(encode_canonical(flashed("ready")) + b"\n")
    end = min(lost.stop, len(line))
    line[lost.start : end] = bytes(end - lost.start)
    with log.path.open("ab") as file:
        file.write(line)
    assert len(log.read()) == 1
    log.add(flashed("failed"))
    assert [one.result for one in log.read() if isinstance(one, Flashed)] == ["began", "failed"]


def test_a_log_that_was_edited_is_refused(tmp_path: Path) -> None:
    log = AssetLog(tmp_path / "assets.jsonl")
    log.begin(flashed())
    log.path.write_bytes(log.path.read_bytes().replace(b'"serial"', b'"serail"') + b"\n")
    with pytest.raises(BadAssetLog, match=r"line 1, is no entry of an asset log"):
        log.begin(flashed(serial="CAM-0043"))


def test_what_could_not_be_read_again_is_never_entered(tmp_path: Path) -> None:
    log = AssetLog(tmp_path / "assets.jsonl")
    with pytest.raises(BadAssetLog, match="what was to be entered"):
        log.begin(flashed(technician=""))
    assert log.read() == []


def test_lines_are_read_back_as_they_were_written() -> None:
    entries = [flashed(), CHECKED, flashed("ready", why=None, again="lost")]
    data = b"".join(encode_canonical(one) + b"\n" for one in entries)
    assert read_assets(data, "log") == entries


def test_the_table_says_for_each_camera_its_card_and_its_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = AssetLog(tmp_path / "assets.jsonl")
    for entry in (flashed(), flashed("ready"), CHECKED, flashed("failed", "CAM-0041")):
        log.add(entry)
    assert main(["assets", str(log.path)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["serial", "board", "version", "card", "result", "when", "technician", "tested"]
    assert [row.split("  ")[0] for row in rows] == ["CAM-0041", "CAM-0042"]
    assert "failed" in rows[0]
    assert rows[0].endswith("never")
    assert "Generic 32.0 GB  ready" in rows[1]
    assert rows[1].endswith("warn 2026-11-23")
    assert main(["assets", str(tmp_path / "none")]) == 1


# -- labels

LABELS = [Label("CAM-0042", "bodycam-zero2w", "Hartford PD"), Label("CAM-0043", "dashcam-pi5", "Cañon City, 2°")]


def scanned(tool: Callable[[str], str], path: Path) -> str:
    command = [tool("zbarimg"), "--quiet", "--raw", "--nodbus", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.mark.parametrize("size_scale", [1.0, 0.5])
def test_a_scanner_reads_the_label(tool: Callable[[str], str], tmp_path: Path, size_scale: float) -> None:
    """At half its resolution too: a thermal printer is no good one."""
    from PIL import Image

    check_target(tmp_path / "label.png", 2)
    for path, label in zip(write_labels(LABELS, tmp_path / "label.png"), LABELS, strict=True):
        image = Image.open(path)
        assert image.size == (732, 343), "62 x 29 mm at 300 dpi"
        image.convert("L").resize((int(732 * size_scale), int(343 * size_scale))).save(path)
        assert scanned(tool, path) == label.payload
        assert path.name == f"label-{label.serial}.png"


def test_a_sheet_of_labels_has_a_page_for_each(tool: Callable[[str], str], tmp_path: Path) -> None:
    (sheet,) = write_labels(LABELS, tmp_path / "labels.pdf")
    told = subprocess.run([tool("pdfinfo"), str(sheet)], capture_output=True, text=True, check=True, timeout=60).stdout
    pages, width, height = (next(one for one in told.splitlines() if "Page" in one), *page_size(told))
    assert pages.split() == ["Pages:", "2"]
    assert (round(width / 72 * 25.4), round(height / 72 * 25.4)) == (62, 29)
    subprocess.run([tool("pdftoppm"), "-r", "300", "-png", str(sheet), str(tmp_path / "page")], check=True, timeout=60)
    assert [scanned(tool, tmp_path / f"page-{page}.png") for page in (1, 2)] == [one.payload for one in LABELS]


def page_size(told: str) -> tuple[float, float]:
    line = next(one for one in told.splitlines() if one.startswith("Page size:"))
    return float(line.split()[2]), float(line.split()[4])


def test_long_names_stay_on_the_label(tool: Callable[[str], str], tmp_path: Path) -> None:
    label = Label("CAM-" + "W" * 28, "b" * 32, "Department of the Interior, Bureau of " + "W" * 40)
    (path,) = write_labels([label], tmp_path / "long.png")
    assert scanned(tool, path) == label.payload


@pytest.mark.parametrize("name", ["label.gif", "none/label.pdf"])
def test_where_no_label_can_be_written_is_told_before(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadAuthority, match="--label-printer"):
        check_target(tmp_path / name, 0)
