"""The bays' book: what matters for checkout is durable at once, progress only now and then."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dock.bay_report import BayReport
from dock.station.bays import KEEP_EVERY_S, Bay, BayBook
from dock.station.witness import WitnessBook
from evidence.handover import Status
from evidence.requests import Offloading
from evidence.statements import LogHead


def bay(battery: int, files: int, *, docked: bool = True) -> Bay:
    status = Status(
        serial="CAM-0001", model="m", firmware="1", state="docked" if docked else "ready", docked=docked,
        degraded=False, uptime_s=1, battery_percent=battery,
    )  # fmt: skip
    report = BayReport(status=status, offloading=Offloading(files=files, bytes=files * 1000), agent="1")
    return Bay(serial="CAM-0001", at="2026-01-01T00:00:00.000000Z", address="10.0.0.1", report=report)


def test_news_for_checkout_outlives_a_restart_and_progress_costs_no_flush(tmp_path: Path) -> None:
    now = [100.0]
    book = BayBook(tmp_path, lambda: now[0])
    kept = tmp_path / "CAM-0001.json"

    def written() -> Bay:
        return msgspec.json.decode(kept.read_bytes(), type=Bay)

    assert book.note(bay(50, 3)) is None
    book.note(bay(51, 3))
    assert written().report.status.battery_percent == 50, "a per cent more is no news"
    known = book.look("CAM-0001")
    assert known is not None
    assert known.report.status.battery_percent == 51
    book.note(bay(51, 0))
    assert written().report.offloading == Offloading(files=0, bytes=0), "an empty camera may be handed out"
    book.note(bay(52, 0, docked=False))
    assert not written().report.status.docked
    now[0] += KEEP_EVERY_S
    book.note(bay(60, 0, docked=False))
    assert BayBook(tmp_path).all()[0].report.status.battery_percent == 60
    kept.write_bytes(b"{")
    assert BayBook(tmp_path).all() == [], "what cannot be read is forgotten, and told"


@pytest.mark.requirement("R38")
def test_a_camera_that_claims_less_of_its_log_than_before_is_told_and_erases_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = WitnessBook(tmp_path)
    late, early = (
        LogHead(segment=4, seq=9, hash="a" * 64),
        LogHead(segment=3, seq=50, hash="b" * 64),
    )
    book.claim("CAM-0001", late, "2026-01-02T00:00:00.000000Z")
    book.claim("CAM-0001", early, "2026-01-03T00:00:00.000000Z")
    assert book.look("CAM-0001").claimed == late
    assert "it may be rolled back" in caplog.text
