"""Receipts and deletion (invariants 7, 8, 13): nothing goes without a good one, and the tombstone comes first."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from camera_bench import statements

from device.device_log import DeviceLog
from device.errors import ReceiptRefused
from device.proof_book import ProofBook
from device.receipts import RESERVE_BYTES, Receipts
from device.spool import Spool
from device.writer import Job, Writer
from evidence import cms
from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.handover import Receipt
from evidence.keys import FileSigner, load_certificates
from evidence.sealed import Recipient
from evidence.statements import (
    CameraFacts,
    Event,
    ProfileRef,
    Source,
    Stamp,
    Utc,
    encode_canonical,
    moment,
)
from evidence.trust import Trust
from evidence.vault_proof import VaultProof
from evidence.verify import verify_file
from fleet.ca import create_agency

NOW = dt.datetime.now(dt.UTC)


def stamp() -> Stamp:
    at_ns = time.time_ns()
    claim = Utc(earliest=moment(at_ns - 10**7), latest=moment(at_ns + 10**7), source="ntp")
    return Stamp(
        boot="00000000-0000-4000-8000-000000000001", mono_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME), utc=claim
    )


COMMON: dict[str, Any] = {
    "camera": CameraFacts(model="m", firmware="1", firmware_sha256="0" * 64),
    "sources": (Source(role="camera", driver="d", sensor="s", kind="simulated"),),
    "profile": ProfileRef(name="p", version=1, sha256="0" * 64),
    "retention_class": "standard",
    "station_nonce": None,
}


@dataclass
class Desk:
    """A spool with closed files, a log, a writer thread, and the receipts on top."""

    pki: Path
    directory: Path
    keep_s: int = 0
    proven: bool = True
    """The vault's holder has proven this camera's vault certificate and firmware."""
    deleted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signer = FileSigner.load(self.pki / "camera.key", self.pki / "camera.pem")
        self.recipients = (Recipient.of(load_certificates(self.pki / "vault.pem")[0]),)
        self.trust = Trust.load(self.pki / "root.pem")
        self.spool = Spool(self.directory / "spool", self.directory / "state", "SIM-0001")
        self.spool.load()
        self.log = DeviceLog(
            self.spool.directory, "SIM-0001", self.signer, self.recipients, stamp,
            next_segment=1, previous=None, on_closed=lambda number, facts: self.spool.add_closed(facts),
        )  # fmt: skip
        self.log.open_fields = lambda: COMMON
        self.writer = Writer(10**6, make_room=lambda reserve: False, on_trouble=lambda _: None)
        self.writer.start()
        self.proofs = ProofBook(self.spool, self.trust)
        self.receipts = self.make()
        if self.proven:
            self.proofs.take(self.prove())

    def make(self, *stores: str) -> Receipts:
        return Receipts(
            self.spool, self.trust, self.writer, self.log, keep_s=self.keep_s, stores=stores, proofs=self.proofs,
            on_deleted=self.deleted.append,
        )  # fmt: skip

    def prove(self, number: int = 999_999, **changes: Any) -> bytes:
        """What the vault's holder signs after opening that recording; by default one that has gone already."""
        name = f"SIM-0001-{number:06d}.evidence"
        known = self.spool.find(name)
        fields: dict[str, Any] = {
            "v": 1, "serial": "SIM-0001", "stream": "recording", "number": number, "name": name,
            "bytes": known.facts.bytes if known else 1, "sha256": known.facts.sha256 if known else "a" * 64,
            "close_hash": known.facts.close_hash if known else "b" * 64, "vault_sha256": self.recipients[0].sha256,
            "firmware_sha256": "0" * 64, "objects": 3, "first_object": "c" * 64, "last_object": "d" * 64,
            "holder": "VAULT-1", "issued": moment(int(NOW.timestamp()) * 10**9),
        }  # fmt: skip
        document = encode_canonical(VaultProof(**{**fields, **changes}))
        return cms.sign(document, FileSigner.load(self.pki / "proof.key", self.pki / "proof.pem"), NOW)

    def recording(self, number: int, *, hold: bool = False) -> str:
        name = f"SIM-0001-{number:06d}.evidence"
        writer = EvidenceWriter(
            AppendFile.create(self.spool.directory / name), self.signer, self.recipients, stamp,
            serial="SIM-0001", stream="recording", number=number,
        )  # fmt: skip
        writer.open(**COMMON, upload_class="normal", hold=hold)
        writer.close("record_button")
        writer.commit()
        self.spool.add_closed(writer.facts())
        return name

    def segment(self) -> str:
        self.log.event("test").close("docked").commit()
        return max(path.name for path in self.spool.directory.glob("*-log-*"))

    def receipt(self, of: str, role: str = "station-receipt", pki: Path | None = None, **changes: Any) -> bytes:
        known = self.spool.find(of)
        assert known is not None
        fields: dict[str, Any] = {
            "v": 1, "serial": "SIM-0001", "stream": known.stream, "number": known.number, "name": of,
            "bytes": known.facts.bytes, "sha256": known.facts.sha256, "close_hash": known.facts.close_hash,
            "nonce": known.nonce, "store": "directory:1", "object_version": "1", "retention_class": "standard",
            "verdict": "valid", "station": "s", "system_id": "x", "issued": moment(int(NOW.timestamp()) * 10**9),
        }  # fmt: skip
        document = encode_canonical(Receipt(**{**fields, **changes}))
        where = pki or self.pki
        return cms.sign(document, FileSigner.load(where / f"{role}.key", where / f"{role}.pem"), NOW)

    def there(self, name: str) -> bool:
        assert self.writer.drain(60)
        return (self.spool.directory / name).exists()

    def events(self) -> list[Event]:
        paths = sorted(self.spool.directory.glob("*-log-*"))
        return [one for path in paths for one in statements(path) if isinstance(one, Event)]


@pytest.fixture
def desk(pki: Path, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(pki, tmp_path)
    yield made
    made.writer.stop()


@pytest.mark.requirement("R34", "R38")
def test_a_good_receipt_deletes_after_a_durable_tombstone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    name = desk.recording(1)
    said: list[bool] = []
    from evidence import durable

    unlink = durable.unlink
    monkeypatch.setattr(
        "device.receipts.durable.unlink",
        lambda path: (said.append(any(one.event == "tombstone" for one in desk.events())), unlink(path)),
    )
    document = desk.receipt(name)
    assert desk.receipts.take(name, document) == 0
    assert not desk.there(name)
    assert said == [True], "the tombstone was on disk before the file went"
    tombstone = next(one for one in desk.events() if one.event == "tombstone")
    assert tombstone.file is not None
    assert (tombstone.recording, tombstone.file.name) == (1, name)
    assert tombstone.object_sha256 == hashlib.sha256(document).hexdigest()
    assert desk.deleted == [name]
    assert desk.spool.receipt_path(name).read_bytes() == document, "the receipt stays"


@pytest.mark.requirement("R34", "R38")
def test_only_a_store_that_the_profile_names_deletes(desk: Desk) -> None:
    name = desk.recording(1)
    receipts = desk.make("directory:vault", "s3:archive-*")
    with pytest.raises(ReceiptRefused, match=r"is in directory:1; this camera's profile deletes what .* holds"):
        receipts.take(name, desk.receipt(name))
    with pytest.raises(ReceiptRefused, match="is in S3:archive-1"):
        receipts.take(name, desk.receipt(name, store="S3:archive-1"))
    assert desk.there(name)
    assert receipts.take(name, desk.receipt(name, store="s3:archive-1")) == 0
    assert not desk.there(name)


@pytest.mark.requirement("R34", "R38")
@pytest.mark.parametrize(
    "change",
    [
        {"serial": "SIM-0002"}, {"stream": "log"}, {"number": 2}, {"name": "SIM-0001-000002.evidence"}, {"bytes": 1},
        {"sha256": "1" * 64}, {"close_hash": "1" * 64}, {"nonce": "1" * 32}, {"verdict": "not_valid"},
    ],
)  # fmt: skip
def test_one_wrong_field_deletes_nothing(desk: Desk, change: dict[str, Any]) -> None:
    name = desk.recording(1)
    with pytest.raises(ReceiptRefused):
        desk.receipts.take(name, desk.receipt(name, **change))
    desk.receipts.tick(10**9)
    assert desk.there(name)
    assert not desk.spool.receipt_path(name).exists()


@pytest.mark.requirement("R34")
@pytest.mark.parametrize("role", ["camera", "camera-tls", "station-tls", "profile"])
def test_a_receipt_of_another_role_deletes_nothing(desk: Desk, role: str) -> None:
    name = desk.recording(1)
    with pytest.raises(ReceiptRefused):
        desk.receipts.take(name, desk.receipt(name, role))
    assert desk.there(name)


def test_a_foreign_or_torn_receipt_deletes_nothing(desk: Desk, tmp_path: Path) -> None:
    create_agency(tmp_path / "other")
    name = desk.recording(1)
    good = desk.receipt(name)
    for document in (desk.receipt(name, pki=tmp_path / "other"), b"", good[:-1], good + b"\0", b"\x30\x80", b"{}"):
        with pytest.raises(ReceiptRefused):
            desk.receipts.take(name, document)
    assert desk.there(name)


@pytest.mark.requirement("R34")
def test_a_replayed_receipt_of_another_recording_deletes_nothing(desk: Desk) -> None:
    first, second = desk.recording(1), desk.recording(2)
    with pytest.raises(ReceiptRefused):
        desk.receipts.take(second, desk.receipt(first))
    with pytest.raises(ReceiptRefused):
        desk.receipts.take("SIM-0001-000099.evidence", desk.receipt(first))
    assert desk.there(first)
    assert desk.there(second)


@pytest.mark.requirement("R35")
def test_a_file_on_hold_is_never_deleted(desk: Desk) -> None:
    name = desk.recording(1, hold=True)
    desk.receipts.take(name, desk.receipt(name))
    desk.receipts.tick(10**9)
    assert not desk.receipts.make_room(use_reserve=False)
    assert desk.there(name)


def test_the_newest_log_segment_is_never_deleted(desk: Desk) -> None:
    names = [desk.segment(), desk.segment()]
    for name in names:
        desk.receipts.take(name, desk.receipt(name))
    assert not desk.there(names[0])
    assert desk.there(names[1])
    assert not desk.receipts.make_room(use_reserve=False)


@pytest.mark.requirement("R34")
def test_the_holding_time_is_counted_in_the_cameras_own_seconds(desk: Desk) -> None:
    """R38, invariant 7: whatever any clock says, only `tick` makes a file older; and a restart keeps the count."""
    desk.keep_s = 3600
    desk.receipts = desk.make()
    name = desk.recording(1)
    assert desk.receipts.take(name, desk.receipt(name)) == 3600
    desk.receipts.tick(3000)
    assert desk.there(name)
    desk.receipts.save()
    desk.receipts = desk.make()
    desk.receipts.tick(599)
    assert desk.there(name)
    desk.receipts.tick(1)
    assert not desk.there(name)


@pytest.mark.requirement("R34")
def test_a_kept_receipt_that_was_tampered_with_deletes_nothing(desk: Desk) -> None:
    desk.keep_s = 10
    desk.receipts = desk.make()
    name = desk.recording(1)
    document = desk.receipt(name)
    desk.receipts.take(name, document)
    desk.spool.receipt_path(name).write_bytes(document[:-2] + b"\0\0")
    desk.receipts.tick(100)
    assert not desk.receipts.make_room(use_reserve=False)
    assert desk.there(name)


@pytest.mark.requirement("R30", "R34", "R42")
def test_room_is_made_from_the_oldest_receipted_file_only(desk: Desk) -> None:
    desk.keep_s = 10**6
    desk.receipts = desk.make()
    names = [desk.recording(number) for number in (1, 2, 3)]
    for name in names[1:]:
        desk.receipts.take(name, desk.receipt(name))
    desk.writer.drain(60)
    assert desk.receipts.make_room(use_reserve=False)
    assert [desk.there(name) for name in names] == [True, False, True]
    assert desk.receipts.make_room(use_reserve=False)
    assert not desk.receipts.make_room(use_reserve=False)
    assert desk.there(names[0])


def test_of_files_that_are_gone_the_newest_receipts_are_kept_and_of_files_that_are_there_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.receipts.KEPT_RECEIPTS", 3)
    there = desk.spool.receipt_path("SIM-0001-000002.evidence")
    there.parent.mkdir(parents=True)
    (desk.spool.directory / "SIM-0001-000002.evidence").write_bytes(b"held for a court")
    streams = ("SIM-0001-", "SIM-0001-log-")
    for stream in streams:
        for number in range(1, 30):
            desk.spool.receipt_path(f"{stream}{number:06d}.evidence").write_bytes(b"receipt")
    for _ in range(3):  # some at once
        desk.receipts.tick(300)
        desk.writer.drain(60)
    kept = sorted(path.name.partition(".")[0] for path in there.parent.iterdir())
    newest = [f"{stream}{number:06d}" for stream in streams for number in (27, 28, 29)]
    assert kept == sorted(["SIM-0001-000002", *newest])


def test_the_reserve_is_for_words_only(desk: Desk) -> None:
    desk.receipts.keep_reserve()
    reserve = desk.spool.directory / ".reserve"
    assert reserve.stat().st_size == RESERVE_BYTES
    assert not desk.receipts.make_room(use_reserve=False)
    assert reserve.exists()
    assert desk.receipts.make_room(use_reserve=True)
    assert not reserve.exists()


@pytest.mark.requirement("R34")
def test_a_tombstone_that_the_card_does_not_take_deletes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    name = desk.recording(1)
    monkeypatch.setattr("device.writer.RETRY_S", 0.01)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(AppendFile, "append", full)
        desk.receipts.take(name, desk.receipt(name))
        assert desk.there(name)
        assert not desk.receipts.make_room(use_reserve=False)
        assert desk.there(name)
    desk.receipts.tick(0)
    assert not desk.there(name), "it goes once the card works again"


def test_the_log_holds_each_event_once_whatever_the_card_does(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch in which a segment ends and the next begins, on a card that fails at each write in turn."""
    monkeypatch.setattr("device.writer.RETRY_S", 0.01)
    append = AppendFile.append
    for fail_at in range(4):
        count = 0

        def failing(self: AppendFile, parts: Any, fail_at: int = fail_at) -> int:
            nonlocal count
            count += 1
            if count - 1 == fail_at:
                raise OSError(5, "Input/output error")
            return append(self, parts)

        with monkeypatch.context() as patched:
            patched.setattr(AppendFile, "append", failing)
            for n in range(3):
                desk.writer.put(Job("e", lambda word=f"a{fail_at}_{n}": desk.log.event(word)))
            desk.writer.put(Job("c", lambda: desk.log.close("docked"), alone=True))
            for n in range(3):
                desk.writer.put(Job("e", lambda word=f"b{fail_at}_{n}": desk.log.event(word)))
            desk.writer.drain(60)
    desk.log.close("shutdown").commit()
    paths = sorted(desk.spool.directory.glob("*-log-*"))
    assert all(verify_file(path, desk.trust).valid for path in paths)
    found = [one.event for path in paths for one in statements(path) if isinstance(one, Event)]
    assert found == [f"{part}{turn}_{n}" for turn in range(4) for part in "ab" for n in range(3)]
