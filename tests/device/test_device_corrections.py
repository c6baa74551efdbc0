"""A camera that woke in 1970 and later meets its station: a statement corrects the time, never an edit (R40)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from camera_bench import SECOND, CameraBench, media

from device.corrections import DELIVERY_NS, Corrections
from device.spool import Known
from evidence import cms
from evidence.__main__ import main
from evidence.handover import Contact, Done
from evidence.keys import FileSigner
from evidence.requests import ContactRequest
from evidence.statements import Event, FileFacts, Stamp, Utc, encode_canonical, moment, moment_ns

Make = Callable[..., CameraBench]
BOOT = "00000000-0000-4000-8000-000000000001"


def greeting(now_ns: int, *, uncertainty_ms: int = 1000, nonce: str | None = None) -> Contact:
    return Contact(
        v=1, serial="SIM-0001", station="S-1", system_id="x", nonce=nonce or secrets.token_hex(16), now=moment(now_ns),
        uncertainty_ms=uncertainty_ms,
    )  # fmt: skip


def signed(pki: Path, contact: Contact) -> bytes:
    signer = FileSigner.load(pki / "station-receipt.key", pki / "station-receipt.pem")
    return cms.sign(encode_canonical(contact), signer, dt.datetime.now(dt.UTC))


@pytest.mark.requirement("R5", "R40")
def test_a_boot_in_1970_is_corrected_when_the_station_is_met(
    bench: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = bench(clock={"utc_start": "1970-01-01T00:00:00Z", "source": "none", "uncertainty_ns": 10**12}).start()
    stem = camera.double_press()
    before_ns = time.time_ns()
    camera.fragments(1)
    after_ns = time.time_ns()
    camera.hold_to_stop()
    file = camera.path(stem).read_bytes()
    contact = signed(camera.pki, greeting(time.time_ns()))
    assert isinstance(camera.ask(ContactRequest(contact=contact)), Done)
    assert isinstance(camera.ask(ContactRequest(contact=contact)), Done)  # again: nothing new
    camera.stop()

    assert camera.path(stem).read_bytes() == file, "a correction never edits the recording"
    events = [one for one in camera.log_statements() if isinstance(one, Event) and one.event == "time_correction"]
    assert [(one.recording, one.word) for one in events] == [(1, "station")]
    assert events[0].object_sha256 == hashlib.sha256(contact).hexdigest()
    assert events[0].file is not None
    assert events[0].file.close_hash == camera.verify(stem).close_hash

    root = str(camera.pki / "root.pem")
    assert main(["verify", str(camera.path(stem)), "--root", root]) == 0
    said = capsys.readouterr().out
    assert "1970-01-01" in said, "the camera's own claim stays"
    assert "a later correction, told by the station" in said
    assert main(["verify", str(camera.path(stem)), "--root", root, "--json"]) == 0
    (corrected,) = json.loads(capsys.readouterr().out)["files"][0]["corrections"]["counted"]
    facts = media(camera.path(stem))[-1].media
    assert facts is not None
    # the true time of what was recorded lies inside, and the interval is as narrow as the greeting allows
    begin_ns, end_ns = (moment_ns(corrected["recorded_utc"][name]) for name in ("earliest", "latest"))
    assert begin_ns < before_ns
    assert after_ns < end_ns
    assert moment_ns(corrected["began_utc"][1]) - moment_ns(corrected["began_utc"][0]) < 13 * SECOND

    pki = camera.pki
    keys = ["--vault-cert", str(pki / "vault.pem"), "--vault-key", str(pki / "vault.key")]
    assert main(["export", str(camera.path(stem)), "--root", root, *keys, "--out", str(tmp_path / "out")]) == 0
    report = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    assert report["corrections"]["counted"] == [corrected]
    page = next((tmp_path / "out").glob("*.html")).read_text()
    assert "The camera&#x27;s own claim" in page or "The camera's own claim" in page
    assert "1 January 1970" in page
    assert "Source of the correction" in page
    assert f"{dt.datetime.now(dt.UTC):%Y}, between" in page


class Shelf:
    """A spool with closed recordings that lie on no card."""

    def __init__(self, *sources: str, boot: str = BOOT) -> None:
        self.logged: list[dict[str, Any]] = []
        self.known = [self._known(number, source, boot) for number, source in enumerate(sources, 1)]
        self.corrections = Corrections(self, BOOT, self._log)  # type: ignore[arg-type]

    def _known(self, number: int, source: str, boot: str) -> Known:
        facts = FileFacts(name=f"SIM-0001-{number:06d}.evidence", bytes=1, sha256="1" * 64, close_hash="2" * 64)
        utc = Utc(earliest=moment(0), latest=moment(20 * SECOND), source=source)  # type: ignore[arg-type]
        begun = Stamp(boot=boot, mono_ns=100 * SECOND, utc=utc)
        return Known("recording", number, facts, "3" * 32, "normal", False, begun)

    def closed_in(self, boot: str) -> list[Known]:
        return [one for one in self.known if one.begun.boot == boot]

    def _log(self, event: str, **fields: Any) -> None:
        assert event == "time_correction"
        self.logged.append(fields)


NOW_NS = 1_800_000_000 * SECOND


def test_the_shift_is_to_the_middle_and_its_uncertainty_counts_clock_way_and_drift() -> None:
    shelf = Shelf("none")
    shelf.corrections.contact(greeting(NOW_NS), b"contact", 1100 * SECOND)
    correction = shelf.logged[0]["correction"]
    # 1000 s before the contact the middle was 1000 s less; the recording claimed 10 s after 1970
    assert correction.shift_us == (NOW_NS + DELIVERY_NS // 2 - 1000 * SECOND - 10 * SECOND) // 1000
    assert correction.uncertainty_us == 1_000_000 + 5_000_000 + 500_000


@pytest.mark.requirement("R40")
def test_only_recordings_of_this_boot_that_nothing_vouched_for_are_corrected_and_each_once() -> None:
    shelf = Shelf("none", "ntp", "none")
    for at_s in (1100, 1200):
        shelf.corrections.contact(greeting(NOW_NS + at_s * SECOND), b"contact", at_s * SECOND)
    assert [one["recording"] for one in shelf.logged] == [1, 3]
    other = Shelf("none", boot="00000000-0000-4000-8000-000000000002")
    other.corrections.contact(greeting(NOW_NS), b"contact", 1100 * SECOND)
    assert not other.logged


def test_a_greeting_that_was_held_back_corrects_nothing() -> None:
    shelf = Shelf()
    shelf.corrections.contact(greeting(NOW_NS), b"contact", 1100 * SECOND)
    shelf.known = Shelf("none").known
    shelf.corrections.contact(greeting(NOW_NS + SECOND), b"old", 1200 * SECOND)
    assert not shelf.logged
    shelf.corrections.contact(greeting(NOW_NS + 100 * SECOND), b"fresh", 1200 * SECOND)
    assert len(shelf.logged) == 1


def test_a_greeting_that_comes_again_corrects_nothing() -> None:
    shelf, contact = Shelf(), greeting(NOW_NS)
    shelf.corrections.contact(contact, b"contact", 1100 * SECOND)
    shelf.known = Shelf("none").known
    shelf.corrections.contact(contact, b"contact", 1101 * SECOND)
    assert not shelf.logged
