"""Whatever is done to evidence, some layer says so, and docs/tamper-matrix.md says which (issue 3, item 9).

Each attack is made and shown to every layer that can look at it. `UPDATE_TAMPER_MATRIX=1 pytest …` writes the table,
every other run holds it against what is on the page.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from camera_shift import Camera
from encoded_media import sounds
from recordings import Agency, Recipe, write_recording

from evidence import nal
from evidence.audit import audit
from evidence.audit_read import read_heap
from evidence.cms import parse_signed, sign
from evidence.disclosure_package import open_package, verify_package
from evidence.errors import CannotDecrypt, EvidenceError, MediaError
from evidence.export.content_credentials import state
from evidence.export.decrypt import Vault
from evidence.export.items import ObjectItem, Rest, walk
from evidence.fmp4 import AUDIO_TRACK_ID, VIDEO_TRACK_ID
from evidence.fmp4_read import parse_fragment
from evidence.handover import Receipt, decode_receipt
from evidence.media_sei import is_message
from evidence.media_verify import certificate_verdict, verify_stream
from evidence.nal import split_avcc
from evidence.sealed import open_sealed, seal
from evidence.statements import encode
from evidence.trust import Trust
from evidence.verify import StreamVerifier

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tamper-matrix.md"
sys.path.append(str(ROOT / "tests" / "vectors"))
from make_vectors import START, HighS, Maker, flip, flip_version, messages, objects, statement  # noqa: E402

LAYERS = "ABCDE"
CAUGHT, BLIND, NOTED, NOTHING = "**caught**", "blind", "noted", "–"
Verdicts = dict[str, str]


@dataclass
class Bench:
    """An agency, recordings of two cameras, and the judges."""

    made: Maker
    work: Path
    whole: Path
    second: Path
    foreign: Path
    vault: Vault
    receipt: Receipt
    names: Iterator[int] = field(default_factory=lambda: iter(range(1000)))

    # --- judges ---------------------------------------------------------------------------------------------------

    def judge(self, data: bytes, name: str = "SIM-0001-000001.evidence") -> Verdicts:
        """What each layer says of an evidence file. D: the receipt that a station gave for the whole one."""
        path = self.work / str(next(self.names)) / name
        path.parent.mkdir()
        path.write_bytes(data)
        report = StreamVerifier(self.made.trust, name, START)
        report.feed(data)
        verdict = report.finish()
        chain = CAUGHT if not verdict.valid else NOTED if any("renamed" in note for note in verdict.notes) else BLIND
        facts = (verdict.bytes, verdict.sha256, name)
        receipt = BLIND if facts == (self.receipt.bytes, self.receipt.sha256, self.receipt.name) else CAUGHT
        return {"A": self._picture(path), "B": self._objects(path), "C": chain, "D": receipt, "E": NOTHING}

    def _objects(self, path: Path) -> str:
        with path.open("rb") as file:
            found = [item for item in walk(file) if isinstance(item, ObjectItem | Rest)]
        data = path.read_bytes()
        for item in found:
            try:
                open_sealed(data[item.offset : item.offset + item.size], self.vault.recipient, self.vault.key)
            except EvidenceError:
                return CAUGHT
        return BLIND

    def _picture(self, path: Path) -> str:
        """Decrypts all that opens, in order, as someone would who only has the vault's key and a player."""
        units, data = [], path.read_bytes()
        with path.open("rb") as file:
            for item in walk(file):
                if isinstance(item, ObjectItem):
                    try:
                        sealed = data[item.offset : item.offset + item.size]
                        units += self._units(open_sealed(sealed, self.vault.recipient, self.vault.key))
                    except CannotDecrypt:
                        continue
        return self.judge_units(units)

    def _units(self, plain: bytes) -> list[list[Any]]:
        try:
            track = parse_fragment(plain).track(VIDEO_TRACK_ID)
        except EvidenceError:
            return []
        return [split_avcc(plain[one.offset : one.offset + one.size]) for one in track.samples] if track else []

    def judge_units(self, units: list[list[Any]]) -> str:
        verdict = verify_stream(units)
        trusted = certificate_verdict(verdict, self.made.trust, "SIM-0001").trusted
        return BLIND if verdict.all_signed and trusted else CAUGHT

    def exported(self) -> list[list[Any]]:
        """The pictures of an export of the whole recording."""
        data, units = self.whole.read_bytes(), []
        with self.whole.open("rb") as file:
            for item in walk(file):
                if isinstance(item, ObjectItem):
                    sealed = data[item.offset : item.offset + item.size]
                    units += self._units(open_sealed(sealed, self.vault.recipient, self.vault.key))
        return [[bytes(one) for one in unit] for unit in units]

    def export(self) -> bytes:
        """The exported MP4 of the whole recording, with C2PA on top."""
        from evidence.__main__ import main

        pki, out = self.made.pki, self.work / f"export-{next(self.names)}"
        vault = ["--vault-cert", str(pki / "vault.pem"), "--vault-key", str(pki / "vault.key")]
        desk = ["--sign-cert", str(pki / "export.pem"), "--sign-key", str(pki / "export.key")]
        root = ["--root", str(pki / "root.pem")]
        assert main(["export", str(self.whole), *root, *vault, *desk, "--out", str(out)]) == 0
        return (out / f"{self.whole.stem}.mp4").read_bytes()

    def judge_export(self, units: list[list[Any]] | None, data: bytes) -> Verdicts:
        """An exported video: A judges its pictures, E (C2PA) every byte."""
        picture = NOTHING if units is None else self.judge_units(units)
        path = self.work / f"{next(self.names)}.mp4"
        path.write_bytes(data)
        try:
            export = BLIND if state(path, self.made.trust.root)[0] == "Trusted" else CAUGHT
        except MediaError:
            export = CAUGHT
        return {"A": picture, "B": NOTHING, "C": NOTHING, "D": NOTHING, "E": export}

    def judge_package(self, change: Callable[[Path], None]) -> Verdicts:
        from evidence.__main__ import main

        pki, package = self.made.pki, self.work / f"package-{next(self.names)}"
        vault = ["--vault-cert", str(pki / "vault.pem"), "--vault-key", str(pki / "vault.key")]
        root = ["--root", str(pki / "root.pem")]
        everything = ["--from", "00:00:00", "--to", "00:00:02", "--objects", "6"]
        assert main(["disclose", str(self.whole), *root, *vault, *everything, "--out", str(package)]) == 0
        assert not self._package_findings(package)
        change(package)
        caught = CAUGHT if self._package_findings(package) else BLIND
        return {"A": NOTHING, "B": NOTHING, "C": caught, "D": NOTHING, "E": caught}

    def _package_findings(self, package: Path) -> tuple[str, ...]:
        return tuple(verify_package(open_package(package), self.made.trust, now=START).findings)

    def objects_of(self, kind: str) -> list[int]:
        return objects(self.whole, kind)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = Maker(tmp_path_factory.mktemp("agency") / "made")
    whole, second = made.recording(1, 2), made.recording(2, 2, options="qp=40")
    made.documents(whole)
    receipt = decode_receipt(parse_signed(Path(f"{whole}.receipt.p7s").read_bytes()).payload)
    foreign = made.recording(1, 2, serial="SIM-0002", stem="camera-2")
    vault = Vault.load(made.pki / "vault.pem", made.pki / "vault.key")
    return Bench(made, tmp_path_factory.mktemp("work"), whole, second, foreign, vault, receipt)


# --- attacks on an evidence file -------------------------------------------------------------------------------------


def file_attacks(bench: Bench) -> Iterator[tuple[str, Verdicts]]:
    """Each: what was done, and what every layer says."""
    cut, other, foreign = (messages(one) for one in (bench.whole, bench.second, bench.foreign))
    (init,), (one, two) = bench.objects_of("init"), bench.objects_of("media")
    close, marker = len(cut) - 1, next(n for n in range(len(cut)) if getattr(item(bench, n), "kind", "") == "event")

    def row(text: str, parts: list[bytes], name: str = "SIM-0001-000001.evidence") -> tuple[str, Verdicts]:
        return text, bench.judge(b"".join(parts), name)

    def put(at: int, message: bytes) -> list[bytes]:
        return [*cut[:at], message, *cut[at + 1 :]]

    def signed(at: int, stem: str, kind: Any = None) -> bytes:
        said = item(bench, at)
        signer = bench.made.signer(stem) if kind is None else kind.load(*keys(bench, stem))
        return sign(encode(said), signer, parsed(bench, at))

    gap = next(n for n in range(len(cut)) if getattr(item(bench, n), "kind", "") == "gap")
    yield row("flip a bit of a media object's content", put(one, flip(cut[one], 3000)))
    yield row("flip a bit of the init object's recipient", put(init, flip(cut[init], 60)))
    yield row("flip a bit of a statement's JSON", put(marker, flip(cut[marker], 90)))
    yield row("flip a bit of a statement that openssl does not look at", put(marker, flip_version(cut[marker])))
    yield row("flip a bit of the last statement's signature", put(close, flip(cut[close], -1)))
    yield row("truncate inside a media object", [*cut[:two], cut[two][:-100]])
    yield row("truncate between two fragments", cut[: two - 1])
    yield row("truncate only the close statement", cut[:-1])
    swapped = list(cut)
    swapped[one], swapped[two] = cut[two], cut[one]
    yield row("reorder: swap two media objects", swapped)
    moved = [
        *cut[: one - 1],
        *cut[two - 1 : two + 1],
        *cut[one + 1 : two - 1],
        *cut[one - 1 : one + 1],
        *cut[two + 1 :],
    ]
    yield row("reorder: swap two fragments with their announcements", moved)
    yield row("drop a fragment with its announcement", [*cut[: two - 1], *cut[two + 1 :]])
    yield row("drop the statement about a gap", [*cut[:gap], *cut[gap + 1 :]])
    yield row("double a fragment with its announcement", [*cut[: two + 1], *cut[two - 1 :]])
    theirs = objects(bench.second, "media")[1]
    yield row(
        "splice in a fragment of another recording", [*cut[: two - 1], *other[theirs - 1 : theirs + 1], *cut[two + 1 :]]
    )
    yield row("splice in only the object of another recording", put(two, other[theirs]))
    yield row("splice in a fragment of another camera", [*cut[: two - 1], *foreign[two - 1 : two + 1], *cut[two + 1 :]])
    yield row("join two recordings into one file", [*cut, *other])
    yield row("replay a recording under a new name", cut, "SIM-0001-000009.evidence")
    yield row("replay another camera's recording under this name", foreign)
    yield row("re-sign a statement with another camera's key", put(marker, signed(marker, "camera-2")))
    yield row("re-sign a statement with the TLS key of the same camera", put(marker, signed(marker, "camera-tls")))
    yield row("re-sign a statement with a station's key", put(marker, signed(marker, "station-receipt")))
    yield row("re-sign the close with a policy key", put(close, signed(close, "profile")))
    yield row("change a signature to its second form (high s)", put(marker, signed(marker, "camera", HighS)))
    planted = bytes(seal([b"planted"], [bench.made.recipient]))
    yield row("append a foreign sealed object behind the close", [*cut, planted])
    yield row("insert a foreign sealed object", [*cut[:marker], planted, *cut[marker:]])
    yield row("replace a media object by a foreign sealed object", put(two, planted))


def item(bench: Bench, number: int) -> Any:
    try:
        return statement(bench.whole, number)
    except AssertionError:
        return None


def keys(bench: Bench, stem: str) -> tuple[Path, Path]:
    return bench.made.pki / f"{stem}.key", bench.made.pki / f"{stem}.pem"


def parsed(bench: Bench, number: int) -> Any:
    return parse_signed(messages(bench.whole)[number]).signed_at


# --- attacks on what left the vault ----------------------------------------------------------------------------------


def export_attacks(bench: Bench) -> Iterator[tuple[str, Verdicts]]:
    """An exported video. E sees the same edit as bytes of the file; sound and GPS track have no layer A."""
    units, whole = bench.exported(), bench.export()
    assert bench.judge_export(units, whole) == {"A": BLIND, "B": NOTHING, "C": NOTHING, "D": NOTHING, "E": BLIND}
    pictures = [next(one for one in unit if nal.is_slice(one)) for unit in units]
    messages = [one for unit in units for one in unit if is_message(one)]
    assert all(one in whole for one in (*pictures, *messages)), "the export holds them unaltered"

    def without(*gone: bytes) -> bytes:
        """The file with NAL units overwritten by filler data, which every player skips."""
        data = whole
        for one in gone:
            data = data.replace(one, b"\x0c".ljust(len(one), b"\xff"))
        return data

    flipped = flip(pictures[2], len(pictures[2]) // 2)
    edited = [*units[:2], [flipped if one == pictures[2] else one for one in units[2]], *units[3:]]
    stripped = [[one for one in unit if not is_message(one)] for unit in units]
    exchanged = whole.replace(pictures[1], b"").replace(pictures[2], pictures[2] + pictures[1])
    half, gps = len(units) // 2, whole.index(b"GPRMC,115958")
    sound = whole.index(sounds()[1][3]) + 20

    def row(text: str, changed: list[list[Any]] | None, data: bytes) -> tuple[str, Verdicts]:
        assert data != whole
        return f"exported video: {text}", bench.judge_export(changed, data)

    yield row("flip a bit of a picture", edited, whole.replace(pictures[2], flipped))
    yield row("drop all signature messages", stripped, without(*messages))
    yield row("drop one picture", [*units[:2], *units[3:]], without(pictures[2]))
    yield row("swap two pictures", [*units[:1], units[2], units[1], *units[3:]], exchanged)
    yield row("cut the tail", units[:half], whole[: len(whole) * 3 // 4])
    yield row("cut inside the last group", units[:-1], without(pictures[-1]))
    yield row("drop or edit the sound", None, flip(whole, sound))
    yield row("edit the GPS track", None, flip(whole, gps + 11))


def package_attacks(bench: Bench) -> Iterator[tuple[str, Verdicts]]:
    """A disclosure package: everything in it is held against the camera's commitments."""

    def edit(number: int, before: bytes, after: bytes) -> Callable[[Path], None]:
        def change(package: Path) -> None:
            (path,) = (package / "objects").glob(f"{number:06d}-*")
            data = path.read_bytes()
            assert before in data
            path.write_bytes(data.replace(before, after, 1))

        return change

    def silence(package: Path) -> None:
        path = min((package / "objects").glob("*-media.*"))
        track = parse_fragment(data := path.read_bytes()).track(AUDIO_TRACK_ID)
        assert track is not None
        first = track.samples[0]
        path.write_bytes(data[: first.offset] + bytes(first.size) + data[first.offset + first.size :])

    def drop(package: Path) -> None:
        next((package / "objects").glob("*-media.*")).unlink()

    def drop_statement(package: Path) -> None:
        sorted((package / "statements").iterdir())[3].unlink()

    one = bench.objects_of("media")[0]
    label = bench.objects_of("metadata")[0]
    yield "disclosure: silence the sound", bench.judge_package(silence)
    yield "disclosure: edit the GPS track", bench.judge_package(edit(one, b"GPRMC,115958", b"GPRMC,115959"))
    yield "disclosure: edit a label", bench.judge_package(edit(label, b"record_button", b"record_bottom"))
    yield "disclosure: drop an object that it names", bench.judge_package(drop)
    yield "disclosure: drop a statement", bench.judge_package(drop_statement)


# --- attacks on the whole heap ---------------------------------------------------------------------------------------


def heap_attacks(agency: Agency, tmp_path: Path) -> Iterator[tuple[str, Verdicts]]:
    """Card, log and store: each file by itself is perfect; the audit holds them against each other and the witness."""

    def shift(name: str) -> tuple[Camera, Path]:
        camera, store = Camera(agency, tmp_path / name), tmp_path / f"{name}-store"
        camera.event("boot")
        recordings = [camera.record() for _ in range(2)]
        camera.upload(store, *recordings, camera.close_log())
        camera.contact(store)
        camera.event("contact")
        return camera, store

    def told(*places: Path) -> Verdicts:
        heap = read_heap(places, agency.trust, now=START)
        (result,) = audit(heap)
        valid = all(one.report.valid for one in heap.files)
        verdict = CAUGHT if result.findings else "unknown" if result.unknown else BLIND
        return {"A": NOTHING, "B": NOTHING, "C": BLIND if valid else CAUGHT, "D": verdict, "E": NOTHING}

    camera, store = shift("dropped")
    (store / "SIM-0001-000002.evidence").unlink()
    yield "drop a whole recording with its receipt", told(_without_receipts(store))
    camera, store = shift("reused")
    other = Camera(agency, tmp_path / "reused-other")
    other.event("boot")
    shutil.copy(other.record(), store / "again.evidence")
    yield "reuse a recording's number", told(store)
    camera, store = shift("rolled")
    camera.close_log("shutdown")
    old = tmp_path / "rolled-old"
    shutil.copytree(camera.card, old)
    camera.record()
    camera.upload(store, camera.close_log())
    greetings = tmp_path / "rolled-greetings"
    greetings.mkdir()
    camera.contact(greetings)
    yield "roll back card and log to an older image", told(old, greetings)
    camera, store = shift("tail")
    camera.record()
    (camera.card / "SIM-0001-000003.evidence").unlink()
    (camera.card / "SIM-0001-log-000002.evidence").unlink()
    yield "cut the tail of card and log behind the newest witness", told(camera.card, store)


def _without_receipts(store: Path) -> Path:
    for path in store.glob("SIM-0001-000002.*receipt*"):
        path.unlink()
    return store


def source_attacks(agency: Agency, real_agency: Agency, tmp_path: Path) -> Iterator[tuple[str, Verdicts]]:
    """Footage that came from no sensor."""

    def told(by: Agency, root: Agency, kind: str, number: int) -> Verdicts:
        path = write_recording(by, tmp_path, Recipe(kind=kind, number=number, seconds=1))
        report = StreamVerifier(Trust(root.trust.root), path.name)
        report.feed(path.read_bytes())
        caught = BLIND if report.finish().valid else CAUGHT
        return {"A": NOTHING, "B": NOTHING, "C": caught, "D": NOTHING, "E": NOTHING}

    yield (
        "re-import an export through a loopback camera (clip) with a real certificate",
        told(real_agency, real_agency, "clip", 1),
    )
    yield "the same with a simulator's certificate under the production root", told(agency, real_agency, "clip", 2)
    yield "training footage with a real certificate", told(real_agency, real_agency, "training", 3)


# --- the table -------------------------------------------------------------------------------------------------------

HEAD = """# Tamper matrix

Written by `tests/evidence/test_tamper_matrix.py`, which makes every attack and shows it to every layer that can look at
it. A test holds this page against what the code does (`UPDATE_TAMPER_MATRIX=1` writes it).

| Layer | Who looks | At what |
|---|---|---|
| A | ONVIF Media Signing | the pictures, also after export |
| B | AES-GCM in each sealed object | one object, with the vault's key |
| C | canonical form, signatures, certificates, chain, commitments | the evidence file, without any key |
| D | receipts, timestamps, witnesses, audit | the file against what others remember of it |
| E | C2PA on an export, a disclosure's proof | what left the vault, every byte of it |

**caught**: this layer refuses. noted: valid, and the verdict says what a reader must know. blind: it looked and found
nothing wrong. unknown: it says that it cannot know, never that all is complete. –: it has nothing to look at. For D on
a single file a receipt for the original is at hand.

| Attack | A | B | C | D | E |
|---|---|---|---|---|---|
"""
TAIL = """
Layer E is void after any remux, layer A survives it: an exported video that was only remuxed is told from an edited one
by A, and a cut end or edited sound is found by E or by comparing with the evidence file.

## What no layer can find

* A tail of card *and* log that nobody outside has witnessed. The audit says `unknown` after the newest witness.
* A scene that was staged in front of a real lens, or a screen that was filmed.
* A real camera whose key was taken out of it, or whose firmware lies about its sources. The verdict prints the key's
  level, so that a reader knows how hard that was: `file`, `non_exportable`, `verified_boot`.
"""


@pytest.mark.requirement("R40", "R41")
def test_every_attack_is_caught_by_a_layer_and_the_page_says_which(
    bench: Bench, agency: Agency, real_agency: Agency, tmp_path: Path
) -> None:
    untouched = bench.judge(bench.whole.read_bytes())
    assert untouched == {"A": BLIND, "B": BLIND, "C": BLIND, "D": BLIND, "E": NOTHING}
    rows = [
        *file_attacks(bench),
        *export_attacks(bench),
        *package_attacks(bench),
        *heap_attacks(agency, tmp_path),
        *source_attacks(agency, real_agency, tmp_path),
    ]
    for text, verdicts in rows:
        assert set(verdicts) == set(LAYERS)
        assert set(verdicts.values()) & {CAUGHT, NOTED, "unknown"}, f"nobody notices: {text}"
    table = "".join(f"| {text} | {' | '.join(verdicts[layer] for layer in LAYERS)} |\n" for text, verdicts in rows)
    page = HEAD + table + TAIL
    if os.environ.get("UPDATE_TAMPER_MATRIX"):
        PAGE.write_text(page, "utf-8")
    assert PAGE.read_text("utf-8") == page, "docs/tamper-matrix.md: run with UPDATE_TAMPER_MATRIX=1 and read the change"
