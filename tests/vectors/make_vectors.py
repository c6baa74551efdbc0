"""How the test vectors were made. The vectors are frozen: this is run into a new directory, never over them.

    .venv/bin/python tests/vectors/make_vectors.py NEW-DIRECTORY

Ephemeral keys and signatures are random, so that a second run gives other bytes with the same verdicts. The tamper
matrix makes its recordings with it, too.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import json
import operator
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# ruff: noqa: E402 - the imports below need this path
sys.path[:0] = [str(HERE.parent / "evidence"), str(HERE.parents[1])]

import msgspec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from encoded_media import Picture, pictures, sounds

from evidence import cms
from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.export.decrypt import Vault
from evidence.export.items import ObjectItem, StatementItem, walk
from evidence.fmp4 import AudioSample, GpsSample, VideoSample, VideoTrack, init_segment, media_fragment
from evidence.gpmf import GpsPoint, gps_sample
from evidence.handover import Contact, Receipt
from evidence.keys import P256_ORDER, FileSigner, load_certificates
from evidence.media_signing import MediaSigner, VendorInfo
from evidence.nal import parameter_sets, split_annexb, to_avcc_parts
from evidence.recovery import recover
from evidence.sealed import Recipient, seal
from evidence.statements import (
    CameraFacts,
    LogHead,
    MediaFacts,
    ProfileRef,
    Source,
    Stamp,
    Utc,
    encode,
    encode_canonical,
    moment,
    moment_ns,
)
from evidence.trust import Trust
from evidence.verify import file_name, verify_file
from fleet.ca import create_agency, write_credential

SECOND = 10**9
SERIAL = "SIM-0001"
START = dt.datetime(2026, 6, 1, 12, 0, 0, tzinfo=dt.UTC)
BOOTS = ("6b0e4f1c-1111-4222-8333-5a1e5d9b2e66", "6b0e4f1c-2222-4222-8333-5a1e5d9b2e66")
LABEL = b"TEST KEY of Firsthand's public test vectors. Everyone has it. Never trust it, never use it.\n"
RATE, WIDTH, HEIGHT = 5, 128, 96


class Clock:
    """A clock that each stamp moves on by a millisecond."""

    def __init__(self, mono_s: int, boot: str = BOOTS[0], source: str = "ntp", after_s: int = 0) -> None:
        self.mono_ns, self.boot, self.source = mono_s * SECOND, boot, source
        self.utc_ns = (int(START.timestamp()) + after_s) * SECOND

    def __call__(self) -> Stamp:
        self.mono_ns += 1_000_000
        self.utc_ns += 1_000_000
        early, late = moment(self.utc_ns - 5_000_000), moment(self.utc_ns + 5_000_000)
        return Stamp(
            boot=self.boot,
            mono_ns=self.mono_ns,
            utc=Utc(earliest=early, latest=late, source=self.source),  # type: ignore[arg-type]
        )


class Maker:
    """One directory of vectors."""

    def __init__(self, out: Path) -> None:
        self.out, self.pki = out, out / "pki"
        (out / "tampered").mkdir(parents=True)
        authority = create_agency(self.pki, organization="TEST VECTORS", start=START, years=100)
        write_credential(self.pki, "camera-2", authority.signer("camera", "Camera SIM-0002", serial="SIM-0002"))
        write_credential(self.pki, "export", authority.signer("export", "Export desk", serial="DESK-1"))
        create_agency(out / "other", organization="TEST VECTORS, another agency", simulated=False, start=START)
        (out / "other" / "root.pem").rename(self.pki / "production-root.pem")
        for path in (out / "other").iterdir():
            path.unlink()
        (out / "other").rmdir()
        self.trust = Trust.load(self.pki / "root.pem")
        self.recipient = Recipient.of(load_certificates(self.pki / "vault.pem")[0])
        self.expected: dict[str, dict[str, object]] = {}

    def signer(self, stem: str) -> FileSigner:
        return FileSigner.load(self.pki / f"{stem}.key", self.pki / f"{stem}.pem")

    def open_fields(self, **more: object) -> dict[str, object]:
        source = {"driver": "vector", "sensor": "none", "kind": "simulated"}
        return {
            "camera": CameraFacts(model="Test vector", firmware="0.1.0", firmware_sha256="0" * 64),
            "sources": tuple(Source(role=role, **source) for role in ("camera", "microphone", "gps")),  # type: ignore[arg-type]
            "profile": ProfileRef(name="vectors", version=1, sha256="0" * 64),
            "retention_class": "standard",
            "hold": False,
            **more,
        }

    # --- whole files ----------------------------------------------------------------------------------------------

    def log(self) -> Path:
        """A device log segment with one event whose details are sealed."""
        path = self.out / f"{SERIAL}-log-000001.evidence"
        clock = Clock(60)
        with AppendFile.create(path) as file:
            writer = EvidenceWriter(
                file, self.signer("camera"), [self.recipient], clock, serial=SERIAL, stream="log", number=1
            )
            writer.open(**self.open_fields(upload_class="log", previous="1" * 64))
            writer.event("self_test", word="pass", details={"checks": []})
            writer.close("docked")
            writer.commit()
        return path

    def recording(
        self,
        number: int,
        seconds: int,
        *,
        close: bool = True,
        serial: str = SERIAL,
        stem: str = "camera",
        options: str = "qp=44",
    ) -> Path:
        """Pictures, sound, GPS and media signatures, in the order in which the recorder writes them."""
        mono_ns = 120 * SECOND
        path = self.out / file_name(serial, "recording", number)
        with AppendFile.create(path) as file:
            clock = Clock(mono_ns // SECOND + seconds)
            writer = EvidenceWriter(
                file, self.signer(stem), [self.recipient], clock, serial=serial, stream="recording", number=number
            )
            head = LogHead(segment=1, seq=2, hash="2" * 64)
            writer.open(**self.open_fields(upload_class="critical", station_nonce="3" * 32, log_head=head))
            self._media(writer, pictures(RATE * seconds, RATE, WIDTH, HEIGHT, options), mono_ns, stem, close)
            if close:
                writer.event("marker", details={"origin": "record_button", "at_ns": mono_ns + SECOND})
                writer.clock_step(clock(), clock(), "source_changed")
                end_ns = mono_ns + seconds * SECOND
                writer.gap(cause="camera_silent", start_ns=end_ns, end_ns=end_ns + SECOND)
                writer.seal_metadata({"part": "closing", "reason": "record_button"})
                writer.close("record_button")
                writer.commit()
        return path

    def _media(self, writer: EvidenceWriter, frames: list[Picture], mono_ns: int, stem: str, close: bool) -> None:
        track, sound = sounds()
        seconds = len(frames) // RATE
        serial = writer.path.name[:8]
        claim = encode_canonical({"recording": writer.path.stem})
        vendor = VendorInfo("0.1.0", serial, "Firsthand")
        media = MediaSigner(self.signer(stem).sign_digest, (self.pki / f"{stem}.pem").read_bytes(), vendor)
        sets = parameter_sets(split_annexb(frames[0].data))
        assert sets is not None
        writer.seal_mp4("init", [init_segment(VideoTrack(WIDTH, HEIGHT, sets.sps, sets.pps), track, gps=True)])
        for second in range(seconds):
            samples = []
            for index in range(second * RATE, (second + 1) * RATE):
                utc_ns = (int(START.timestamp()) - seconds) * SECOND + index * SECOND // RATE
                nals = media.process(split_annexb(frames[index].data), frames[index].keyframe, utc_ns, claim)
                if index % RATE == RATE - 1:
                    nals.append(media.finish() if close and second == seconds - 1 else media.end_group())
                ticks = 90_000 // RATE
                samples.append(VideoSample(to_avcc_parts(nals), index * ticks, ticks, frames[index].keyframe))
            heard = [AudioSample(one, 1024 * n, 1024) for n, one in enumerate(sound[:8])] if second == 0 else []
            points, sentences = fix(second)
            gps = GpsSample(gps_sample(points, sentences, "Test vector"), second * 90_000, 90_000)
            facts = MediaFacts(
                start_ns=mono_ns + second * SECOND,
                duration_ns=SECOND,
                frames=RATE,
                first_frame=second * RATE,
                sound_frames=len(heard),
                gps_fixes=len(points),
            )
            writer.seal_mp4("media", media_fragment(second + 1, samples, heard, [gps]), facts)
            if second == 0:
                trigger = {"name": "record_button", "at_ns": mono_ns}
                writer.seal_metadata({"part": "opening", "recording": None, "triggers": [trigger]})
            writer.commit()

    def recovered(self) -> Path:
        """A recording that lost its power inside its second fragment, before and after its recovery."""
        path = self.recording(2, 2, close=False)
        items = messages(path)
        whole = sum(map(len, items[:-1]))
        path.write_bytes(path.read_bytes()[: whole + len(items[-1]) // 2])
        torn = self.out / "torn" / path.name
        torn.parent.mkdir()
        torn.write_bytes(path.read_bytes())
        clock = Clock(9, BOOTS[1], after_s=600)
        recover(path, self.trust, self.signer("camera"), [self.recipient], clock)
        for aside in (self.out / "aside").iterdir():
            aside.unlink()
        (self.out / "aside").rmdir()
        return path

    def documents(self, recording: Path) -> None:
        """A receipt and a contact."""
        report = verify_file(recording, self.trust, now=START)
        assert report.opened is not None
        assert report.close_hash is not None
        common = {"v": 1, "serial": SERIAL, "station": "station-1", "system_id": "vectors"}
        later = moment(int(START.timestamp() + 3600) * SECOND)
        receipt = Receipt(
            **common,  # type: ignore[arg-type]
            stream="recording",
            number=1,
            name=recording.name,
            bytes=report.bytes,
            sha256=report.sha256,
            close_hash=report.close_hash,
            nonce=report.opened.nonce,
            store="directory:station-1",
            object_version="1",
            retention_class="standard",
            verdict="valid",
            issued=later,
        )
        contact = Contact(**common, nonce="4" * 32, now=later, uncertainty_ms=1000)  # type: ignore[arg-type]
        when = START + dt.timedelta(hours=1)
        for name, document in ((f"{recording.name}.receipt.p7s", receipt), ("contact.p7s", contact)):
            (self.out / name).write_bytes(cms.sign(encode_canonical(document), self.signer("station-receipt"), when))
        forged = cms.sign(encode_canonical(receipt), self.signer("camera"), when)
        (self.out / "tampered" / "receipt-signed-by-a-camera.p7s").write_bytes(forged)
        flipped = bytearray((self.out / f"{recording.name}.receipt.p7s").read_bytes())
        flipped[-1] ^= 1
        (self.out / "tampered" / "receipt-flipped-bit.p7s").write_bytes(flipped)

    # --- tampered ones ----------------------------------------------------------------------------------------------

    def tampered(self, log: Path, recovered: Path) -> None:
        """Small ones from the log; those that need media from the recording."""
        cut = messages(log)
        clock = Clock(60)
        clock()
        event = statement(log, 1)
        orphan = bytes(seal([b"planted by someone who has only the vault certificate"], [self.recipient]))

        def signed(stem: str, payload: bytes, kind: type[FileSigner] = FileSigner) -> bytes:
            signer = kind.load(self.pki / f"{stem}.key", self.pki / f"{stem}.pem")
            middle_ns = (moment_ns(event.utc.earliest) + moment_ns(event.utc.latest)) // 2
            return cms.sign(payload, signer, dt.datetime.fromtimestamp(middle_ns // SECOND, dt.UTC))

        other = msgspec.structs.replace(event, serial="SIM-0002")
        made = {
            "flipped-bit-in-statement": [cut[0], flip(cut[1], -1), *cut[2:]],
            "flipped-bit-that-openssl-accepts": [cut[0], flip_version(cut[1]), *cut[2:]],
            "cut-tail": cut[:-1],
            "swapped-statements": [cut[0], cut[2], cut[1], *cut[3:]],
            "after-close": [*cut, cut[1]],
            "orphan": [*cut[:2], orphan, *cut[2:]],
            "replaced-object": [*cut[:3], orphan, *cut[4:]],
            "signed-by-tls-certificate": [cut[0], signed("camera-tls", encode(event)), *cut[2:]],
            "signed-by-another-camera": [cut[0], signed("camera-2", encode(other)), *cut[2:]],
            "high-s": [cut[0], signed("camera", encode(event), HighS), *cut[2:]],
            "json-with-a-space": [cut[0], signed("camera", encode(event).replace(b'":', b'": ', 1)), *cut[2:]],
            "unknown-version": [cut[0], signed("camera", encode(event).replace(b'"v":1', b'"v":2')), *cut[2:]],
            "unknown-key": [cut[0], signed("camera", b'{"a":1,' + encode(event)[1:]), *cut[2:]],
        }
        media = messages(recovered)
        (init,), (first,) = objects(recovered, "init"), objects(recovered, "media")
        swapped = list(media)
        swapped[init], swapped[first] = media[first], media[init]
        made["swapped-objects"] = swapped
        made["flipped-bit-in-media"] = [*media[:first], flip(media[first], 3000), *media[first + 1 :]]
        for name, parts in made.items():
            (self.out / "tampered" / f"{name}.evidence").write_bytes(b"".join(parts))

    def expect(self) -> None:
        """Write down what our verifier says, to be read by a person before it is committed."""
        plain: dict[str, dict[str, str]] = {}
        for path in sorted(self.out.rglob("*")):
            name = str(path.relative_to(self.out))
            if path.suffix == ".p7s":
                self.expected[name] = {"verdict": "not_valid" if "tampered" in path.parts else "valid"}
            elif path.suffix == ".evidence":
                self.expected[name] = self._verdict(path)
                if self.expected[name]["verdict"] == "valid":
                    plain[name] = self._plain(path)
            else:
                continue
            self.expected[name]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        for name, values in (("expected.json", self.expected), ("plain.json", plain)):
            (self.out / name).write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")

    def _plain(self, path: Path) -> dict[str, str]:
        vault = Vault.load(self.pki / "vault.pem", self.pki / "vault.key")
        with path.open("rb") as file:
            found = [(item, vault.plaintext(file, item)) for item in walk(file) if isinstance(item, ObjectItem)]
        return {f"{item.number:06d}": hashlib.sha256(data).hexdigest() for item, data in found}

    def _verdict(self, path: Path) -> dict[str, object]:
        report = verify_file(path, self.trust, now=START)
        if not report.valid:
            found = re.match(r"item (\d{6})", report.findings[0])
            return {"verdict": "not_valid", "item": int(found[1]) if found else None, "why": report.findings[0]}
        counts = ("close_hash", "statements", "objects", "frames", "sound_frames", "gps_fixes")
        verdict = {"verdict": "valid", "recovered": report.recovered is not None}
        return verdict | {name: getattr(report, name) for name in counts}

    def label_keys(self) -> None:
        """Keep only what a reader needs; say in every key file what it is."""
        keep = {"root", "production-root", "vault", "camera", "station-receipt"}
        for path in self.pki.iterdir():
            if path.stem not in keep:
                path.unlink()
            elif path.suffix == ".key":
                path.write_bytes(LABEL + path.read_bytes())
                path.rename(path.with_name(f"TEST-ONLY-{path.name}"))


class HighS(FileSigner):
    """Makes the second form of each signature, which the format forbids."""

    def sign_digest(self, digest: bytes) -> bytes:
        r, s = decode_dss_signature(super().sign_digest(digest))
        return encode_dss_signature(r, P256_ORDER - s)


def fix(second: int) -> tuple[list[GpsPoint], list[str]]:
    """The first second has a fix, the others have none: "no fix" is a value."""
    if second:
        return [], [nmea("GPRMC,115959.00,V,,,,,,,010626,,,N")]
    point = GpsPoint(
        latitude_nd=47_123_456_789,
        longitude_nd=-8_000_000_001,
        altitude_mm=408_000,
        utc_ns=(int(START.timestamp()) - 2) * SECOND,
        received_ns=120_500_000_000,
        dimensions=3,
        hdop_centi=90,
        satellites=9,
    )
    return [point], [nmea("GPRMC,115958.00,A,4707.40740734,N,00800.00000006,W,0.0,,010626,,,A")]


def nmea(body: str) -> str:
    return f"${body}*{functools.reduce(operator.xor, body.encode()):02X}"


def messages(path: Path) -> list[bytes]:
    """The CMS messages of a file."""
    data = path.read_bytes()
    with path.open("rb") as file:
        return [data[item.offset : item.offset + item.size] for item in walk(file)]


def objects(path: Path, kind: str) -> list[int]:
    """Numbers of the sealed objects of a kind."""
    with path.open("rb") as file:
        return [
            item.number
            for item in walk(file)
            if isinstance(item, ObjectItem) and item.announced is not None and item.announced.object == kind
        ]


def statement(path: Path, number: int):  # type: ignore[no-untyped-def]
    with path.open("rb") as file:
        item = next(item for item in walk(file) if item.number == number)
    assert isinstance(item, StatementItem)
    return item.statement


def flip(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def flip_version(data: bytes) -> bytes:
    """SignedData version 1 becomes 0: no digest covers it, and openssl does not look."""
    at = data.index(bytes.fromhex("020101310d300b0609"))
    return flip(data, at + 2)


def main() -> None:
    maker = Maker(Path(sys.argv[1]))
    log, recording = maker.log(), maker.recording(1, 2, close=True)
    recovered = maker.recovered()
    maker.documents(recording)
    maker.tampered(log, recovered)
    maker.expect()
    maker.label_keys()


if __name__ == "__main__":
    main()
