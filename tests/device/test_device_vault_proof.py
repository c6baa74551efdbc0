"""Nothing goes before the vault has shown that it opens (R40, invariants 8, 13): what is a proof, and of what."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_device_receipts import Desk, stamp

from device.errors import ProofRefused
from device.proof_book import MOST_PAIRS, ProofBook
from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.statements import CameraFacts, ProfileRef, Source
from evidence.trust import Trust
from fleet.ca import create_agency, write_credential

NEW_FIRMWARE = "f" * 64


@pytest.fixture
def desk(pki: Path, tmp_path: Path) -> Iterator[Desk]:
    """Nothing is proven yet."""
    made = Desk(pki, tmp_path, proven=False)
    yield made
    made.writer.stop()


def record(desk: Desk, number: int, *, upload_class: str = "normal", firmware: str = "0" * 64) -> str:
    """A closed recording."""
    name = f"SIM-0001-{number:06d}.evidence"
    writer = EvidenceWriter(
        AppendFile.create(desk.spool.directory / name), desk.signer, desk.recipients, stamp,
        serial="SIM-0001", stream="recording", number=number,
    )  # fmt: skip
    writer.open(
        camera=CameraFacts(model="m", firmware="1", firmware_sha256=firmware),
        sources=(Source(role="camera", driver="d", sensor="s", kind="simulated"),),
        profile=ProfileRef(name="p", version=1, sha256="0" * 64),
        retention_class="standard",
        upload_class=upload_class,  # type: ignore[arg-type]
        hold=False,
    )
    writer.close("record_button")
    writer.commit()
    desk.spool.add_closed(writer.facts())
    return name


def receipted(desk: Desk, number: int, **more: Any) -> str:
    """A closed recording with a good receipt."""
    name = record(desk, number, **more)
    assert desk.receipts.take(name, desk.receipt(name)) == 0
    return name


def give(desk: Desk, document: bytes) -> None:
    desk.proofs.take(document)
    desk.receipts.look_again()


@pytest.mark.requirement("R40")
def test_a_receipt_alone_deletes_nothing_on_an_empty_or_a_full_card(desk: Desk) -> None:
    name = receipted(desk, 1)
    desk.receipts.tick(10**9)
    assert not desk.receipts.make_room(use_reserve=False)
    assert desk.there(name)
    assert desk.receipts.unproven == {name}, "and a supervisor can see why the card fills"
    known = desk.spool.find(name)
    assert known is not None
    assert not desk.receipts.may_go(known), "it is no room in the forecast"


@pytest.mark.requirement("R40")
def test_receipt_and_proof_delete_in_either_order(desk: Desk) -> None:
    first = receipted(desk, 1)
    give(desk, desk.prove(1))
    assert not desk.there(first)
    assert desk.receipts.unproven == frozenset()
    second = receipted(desk, 2)
    assert not desk.there(second), "the same vault and firmware need no second proof"


@pytest.mark.requirement("R40")
def test_a_proof_alone_deletes_nothing(desk: Desk) -> None:
    name = record(desk, 1)
    give(desk, desk.prove(1))
    desk.receipts.tick(10**9)
    assert not desk.receipts.make_room(use_reserve=False)
    assert desk.there(name)


Forge = Callable[[Desk], bytes]
HOSTILE: dict[str, Forge] = {
    "of another camera": lambda desk: desk.prove(serial="SIM-0002", name="SIM-0002-999999.evidence"),
    "of other bytes under this name": lambda desk: desk.prove(1, sha256="1" * 64),
    "of another end of this file": lambda desk: desk.prove(1, close_hash="1" * 64),
    "of another length": lambda desk: desk.prove(1, bytes=7),
    "of another vault certificate, for this file": lambda desk: desk.prove(1, vault_sha256="1" * 64),
    "of another firmware, for this file": lambda desk: desk.prove(1, firmware_sha256=NEW_FIRMWARE),
    "that no object was opened": lambda desk: desk.prove(1, objects=0),
    "of a log segment that is not here": lambda desk: desk.prove(
        stream="log", number=77, name="SIM-0001-log-000077.evidence"
    ),
    "torn": lambda desk: desk.prove(1)[:-1],
    "with something behind it": lambda desk: desk.prove(1) + b"\0",
    "tampered with": lambda desk: desk.prove(2, sha256="a" * 64).replace(b'"number":2', b'"number":1'),
    "empty": lambda desk: b"",
    "a receipt": lambda desk: desk.receipt("SIM-0001-000001.evidence"),
    "a receipt of the proof's role": lambda desk: desk.receipt("SIM-0001-000001.evidence", "proof"),
    "larger than a proof can be": lambda desk: bytes(200_000),
}


@pytest.mark.requirement("R40")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_false_proof_is_refused_and_deletes_nothing(desk: Desk, what: str) -> None:
    name = receipted(desk, 1)
    with pytest.raises(ProofRefused):
        desk.proofs.take(HOSTILE[what](desk))
    desk.receipts.tick(10**9)
    assert not desk.receipts.make_room(use_reserve=False)
    assert desk.there(name)
    assert not list((desk.spool.state).glob("proofs/*")), "nothing of it is kept"


@pytest.mark.requirement("R40")
@pytest.mark.parametrize("stem", ["camera", "station-receipt", "profile", "supervisor", "release"])
def test_no_other_role_can_prove(desk: Desk, stem: str, tmp_path: Path) -> None:
    """Least of all the station whose word the proof is to check."""
    name = receipted(desk, 1)
    office = tmp_path / "office"
    shutil.copytree(desk.pki, office)
    for suffix in ("key", "pem"):
        shutil.copy(office / f"{stem}.{suffix}", office / f"proof.{suffix}")
    desk.pki = office
    with pytest.raises(ProofRefused, match="role, not proof"):
        desk.proofs.take(desk.prove(1))
    assert desk.there(name)


@pytest.mark.requirement("R40")
def test_another_agency_or_a_revoked_holder_proves_nothing(pki: Path, desk: Desk, tmp_path: Path) -> None:
    name = receipted(desk, 1)
    authority = create_agency(tmp_path / "other")
    desk.pki = tmp_path / "other"
    with pytest.raises(ProofRefused, match="does not lead to the root"):
        desk.proofs.take(desk.prove(1))
    former = authority.signer("proof", "Former holder", serial="VAULT-1")
    write_credential(desk.pki, "proof", former)
    (tmp_path / "proof.crl").write_bytes(authority.revoke(former.certificate, former.certificate.not_valid_before_utc))
    told = ProofBook(desk.spool, Trust.load(desk.pki / "root.pem", [tmp_path / "proof.crl"]))
    with pytest.raises(ProofRefused, match="was revoked"):
        told.take(desk.prove(1))
    assert desk.there(name)


@pytest.mark.requirement("R40")
def test_each_critical_recording_needs_a_proof_of_itself(desk: Desk) -> None:
    names = [receipted(desk, number, upload_class="critical") for number in (1, 2)]
    give(desk, desk.prove())
    assert all(desk.there(name) for name in names), "that some other recording opens is not enough"
    with pytest.raises(ProofRefused):
        desk.proofs.take(desk.prove(2, sha256="e" * 64))
    give(desk, desk.prove(1))
    assert [desk.there(name) for name in names] == [False, True], "the proof of one says nothing about the other"
    give(desk, desk.prove(2))
    assert not desk.there(names[1])


@pytest.mark.requirement("R31", "R40")
def test_a_recording_that_became_critical_later_needs_its_own_proof_too(desk: Desk) -> None:
    give(desk, desk.prove())
    name = record(desk, 1)
    desk.spool.appended.categorize(name.removesuffix(".evidence"), "use_of_force", "critical", hold=False)
    desk.receipts.take(name, desk.receipt(name))
    assert desk.there(name)
    give(desk, desk.prove(1))
    assert not desk.there(name)


@pytest.mark.requirement("R40")
def test_new_firmware_needs_a_new_proof(desk: Desk) -> None:
    give(desk, desk.prove())
    old, new = receipted(desk, 1), receipted(desk, 2, firmware=NEW_FIRMWARE)
    assert [desk.there(one) for one in (old, new)] == [False, True]
    give(desk, desk.prove(firmware_sha256=NEW_FIRMWARE))
    assert not desk.there(new)


@pytest.mark.requirement("R40")
def test_a_proof_of_a_vault_that_the_file_was_not_sealed_to_covers_it_not(desk: Desk) -> None:
    give(desk, desk.prove(vault_sha256="9" * 64))
    assert desk.there(receipted(desk, 1))


def test_a_log_segment_goes_by_the_proof_of_a_recording_and_never_the_other_way(desk: Desk) -> None:
    names = [desk.segment(), desk.segment()]
    desk.receipts.take(names[0], desk.receipt(names[0]))
    assert desk.there(names[0])
    known = desk.spool.find(names[0])
    assert known is not None
    facts = {"number": known.number, "name": names[0], "bytes": known.facts.bytes, "sha256": known.facts.sha256}
    give(desk, desk.prove(stream="log", close_hash=known.facts.close_hash, **facts))
    assert not desk.there(names[0]), "its own proof is good for itself"
    assert desk.there(receipted(desk, 1)), "but no picture was opened"
    give(desk, desk.prove())
    assert not desk.there("SIM-0001-000001.evidence")


@pytest.mark.requirement("R40")
def test_proofs_outlive_a_restart_and_a_damaged_one_counts_as_none(desk: Desk) -> None:
    critical = record(desk, 1, upload_class="critical")
    desk.proofs.take(desk.prove(1))
    kept = sorted((desk.spool.state / "proofs").iterdir())
    assert len(kept) == 2, "of the file, and of the pair"
    again = ProofBook(desk.spool, desk.trust)
    known = desk.spool.find(critical)
    assert known is not None
    assert not again.proven(known), "before it has read what was kept it believes nothing"
    again.load()
    again.check(known)
    own = next(path for path in kept if "000001" in path.name)
    own.write_bytes(own.read_bytes()[:-2] + b"\0\0")
    with pytest.raises(ProofRefused, match="does not hold"):
        again.check(known)
    assert not again.proven(known)
    fresh = ProofBook(desk.spool, desk.trust)
    fresh.load()
    assert not fresh.proven(known)
    fresh.take(desk.prove(1))
    assert fresh.proven(known), "a new one mends it"


def test_a_kept_proof_that_is_damaged_between_receipt_and_tombstone_deletes_nothing(desk: Desk) -> None:
    name = record(desk, 1)
    desk.proofs.take(desk.prove())
    (path,) = (desk.spool.state / "proofs").iterdir()
    path.write_bytes(b"")
    desk.receipts.take(name, desk.receipt(name))
    assert desk.there(name)
    assert not desk.receipts.make_room(use_reserve=False)
    desk.receipts.look_again()
    assert desk.receipts.unproven == {name}


def test_the_proof_of_a_file_goes_with_it_and_that_of_the_pair_stays(desk: Desk) -> None:
    receipted(desk, 1, upload_class="critical")
    give(desk, desk.prove(1))
    assert desk.writer.drain(60)
    (left,) = (desk.spool.state / "proofs").iterdir()
    assert left.name.startswith("pair-")


def test_pairs_are_bounded_and_those_in_use_stay(desk: Desk) -> None:
    name = record(desk, 1)
    for number in range(MOST_PAIRS + 3):
        desk.proofs.take(desk.prove(firmware_sha256=f"{number:064x}"))
    assert len(list((desk.spool.state / "proofs").iterdir())) == MOST_PAIRS
    desk.receipts.take(name, desk.receipt(name))
    assert not desk.there(name), "firmware 0 sealed what lies here, so its proof was kept"


def test_an_agency_that_says_so_in_its_profile_goes_without(desk: Desk) -> None:
    desk.proofs = None  # type: ignore[assignment]  # `vault_proof = false`
    desk.receipts = desk.make()
    assert not desk.there(receipted(desk, 1))


def test_a_known_file_whose_recipients_were_not_read_is_not_proven(desk: Desk) -> None:
    give(desk, desk.prove())
    known = desk.spool.find(record(desk, 1))
    assert known is not None
    assert desk.proofs.proven(known)
    assert not desk.proofs.proven(dataclasses.replace(known, recipients=(), firmware_sha256=""))
