"""The recorder's side of the offload: what the agent says of it, and the list of files page by page (R30)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from device.answers import offload_line, status_lines
from device.offload_state import SILENCE_NS, OffloadState
from device.spool import Known, Spool
from evidence.handover import LINE_BYTES, PAGE_FILES, Done, Status
from evidence.requests import Offloading, OffloadRequest, StatusRequest, request_decoder
from evidence.statements import FileFacts, Stamp, Utc, moment

STAMP = Stamp(
    boot="00000000-0000-4000-8000-000000000001",
    mono_ns=1,
    utc=Utc(earliest=moment(0), latest=moment(0), source="none"),
)


def test_the_agents_word_is_kept_and_forgotten_after_a_minute_of_silence() -> None:
    now_ns = [0]
    daemon = SimpleNamespace(clock=SimpleNamespace(boottime_ns=lambda: now_ns[0]))
    part = OffloadState(cast("Any", daemon))
    assert part.now() is None
    told = Offloading(files=2, bytes=10, over="dock")
    assert asyncio.run(part.answer(OffloadRequest(offloading=told))) == Done()
    assert asyncio.run(part.answer(StatusRequest())) is None
    now_ns[0] = SILENCE_NS
    assert part.now() == told
    now_ns[0] += 1
    assert part.now() is None


def test_what_is_no_account_is_refused_before_anybody_sees_it() -> None:
    for wrong in (
        b'{"op":"offload","offloading":{"files":-1,"bytes":0}}',
        b'{"op":"offload","offloading":{"files":1,"bytes":0,"over":"pigeon"}}',
        b'{"op":"offload","offloading":{"files":1,"bytes":0,"trouble":"%s"}}' % (b"x" * 129),
        b'{"op":"offload","offloading":{"files":1,"bytes":0,"officer":"7"}}',
    ):
        with pytest.raises(msgspec.ValidationError):
            request_decoder.decode(wrong)


@pytest.mark.requirement("R30")
@pytest.mark.parametrize(
    ("told", "line"),
    [
        (Offloading(files=0, bytes=0), "nothing waits"),
        (
            Offloading(files=3, bytes=1_200_000_000, bytes_per_s=5_000_000, minutes_left=4, current="x", over="dock"),
            "3 files, 1.2 GB left, about 4 min over dock",
        ),
        (
            Offloading(files=1, bytes=2_500_000, oldest_s=200_000, trouble="the camera is not docked"),
            "1 file, 2.5 MB left, the oldest waits for 56 h, the camera is not docked",
        ),
    ],
)
def test_the_status_says_in_words_how_far_the_offload_is(told: Offloading, line: str) -> None:
    status = Status(
        serial="SIM-0001",
        model="m",
        firmware="1",
        state="docked",
        docked=True,
        degraded=False,
        uptime_s=1,
        offloading=told,
    )
    assert offload_line(told) == line
    assert f"offload    {line}" in status_lines(status)


def test_a_card_with_thousands_of_files_is_listed_in_pages_that_fit_into_a_line(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", tmp_path / "state", "Z" * 32)
    for number in range(1, 2 * PAGE_FILES + 2):
        name = f"{'Z' * 32}-log-{number:012d}.evidence"
        facts = FileFacts(name=name, bytes=2**53, sha256="f" * 64, close_hash="f" * 64)
        spool._known[name] = Known("log", number, facts, "0" * 32, "critical", True, STAMP)
    found: list[str] = []
    after: str | None = None
    while True:
        page = spool.page(after, None)
        assert len(msgspec.json.encode(page)) < LINE_BYTES // 2
        found += [one.name for one in page.files]
        if not page.more:
            break
        after = found[-1]
    assert found == [one.name for one in spool.files()]
    assert [one.name for one in spool.page(found[3], 2).files] == found[4:6]
    assert spool.page(found[-1], None).files == ()
