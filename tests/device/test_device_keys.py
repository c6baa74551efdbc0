"""A slow key keeps up, and a key in a token records like one in a file (issue 3, keys)."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from camera_bench import CameraBench
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from device import recording_file
from device.config import Keys
from device.fragments import Fragment, Fragmenter
from device.losses import gap_of
from device.muxing import Muxer
from device.recording_file import Addition, RecordingFile
from device.signing_pace import KeyFailed, PacedSigner
from device.writer import Job, Writer
from evidence.__main__ import main
from evidence.errors import SigningFailed
from evidence.export.items import StatementItem, walk
from evidence.export.media_file import judge_media
from evidence.keys import FileSigner, Signer, in_token, load_signer
from evidence.media_signing import MediaSigner, VendorInfo
from evidence.media_verify import certificate_verdict
from evidence.roles import KeyLevel
from evidence.sealed import Recipient
from evidence.statements import NO_HASH, CameraFacts, Event, Gap, ProfileRef, Sealed, Source, Stamp, Utc, moment
from evidence.trust import Trust
from evidence.verify import Report, verify_file
from fleet.ca import Authority, create_agency
from hal.camera import EncodedFrame, VideoFormat

SECOND = 10**9
RATE = 10


def encoded(seconds: int) -> list[EncodedFrame]:
    """Small real H.264 with a key frame each second."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.gop_size = 160, 96, "yuv420p", RATE
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": f"bframes=0:keyint={RATE}:min-keyint={RATE}:scenecut=0:repeat-headers=1:annexb=1:slices=1",
    }
    encoder.time_base, encoder.framerate = Fraction(1, RATE), Fraction(RATE)
    made: list[EncodedFrame] = []
    for number in [*range(seconds * RATE), None]:
        picture = None
        if number is not None:
            plane = np.full((96 * 3 // 2, 160), number % 200, dtype=np.uint8)
            picture = av.VideoFrame.from_ndarray(plane, format="yuv420p")
            picture.pts = number
        for packet in encoder.encode(picture):
            at_ns = 100 * SECOND + len(made) * SECOND // RATE
            made.append(EncodedFrame(bytes(packet), packet.is_keyframe, at_ns, len(made)))
    return made


def fragments(frames: list[EncodedFrame]) -> list[Fragment]:
    fragmenter = Fragmenter()
    found = [one for frame in frames if (one := fragmenter.frame(frame)) is not None]
    last = fragmenter.finish()
    return [*found, last] if last is not None else found


@dataclass
class SlowSigner:
    """A key in hardware: `pace_s` a signature; `broken` makes it fail."""

    signer: FileSigner
    pace_s: float
    count: int = 0
    away: range = range(0)
    """Signatures that fail: the token was pulled out."""
    certificate: x509.Certificate = field(init=False)
    chain: tuple[x509.Certificate, ...] = field(init=False)
    level: KeyLevel = field(init=False)

    def __post_init__(self) -> None:
        self.certificate, self.chain, self.level = self.signer.certificate, self.signer.chain, self.signer.level

    def sign_digest(self, digest: bytes) -> bytes:
        self.count += 1
        if self.count in self.away:
            raise SigningFailed("the token is away")
        threading.Event().wait(self.pace_s)  # what hardware does; nothing is waited *for*
        return self.signer.sign_digest(digest)


@dataclass
class Agency:
    directory: Path
    authority: Authority
    trust: Trust
    recipient: Recipient

    def signer(self) -> FileSigner:
        return FileSigner.load(self.directory / "camera.key", self.directory / "camera.pem")


@pytest.fixture(scope="module")
def agency(tmp_path_factory: pytest.TempPathFactory) -> Agency:
    directory = tmp_path_factory.mktemp("agency")
    authority = create_agency(directory)
    vault = x509.load_pem_x509_certificates((directory / "vault.pem").read_bytes())[0]
    return Agency(directory, authority, Trust.load(directory / "root.pem"), Recipient.of(vault))


@pytest.fixture(scope="module")
def ring() -> list[Fragment]:
    return fragments(encoded(30))


def stamp() -> Stamp:
    now_ns = time.time_ns()
    utc = Utc(earliest=moment(now_ns - SECOND), latest=moment(now_ns + SECOND), source="ntp")
    return Stamp(boot="6b0e4f1c-1111-4222-8333-5a1e5d9b2e66", mono_ns=time.monotonic_ns(), utc=utc)


def begin(agency: Agency, signer: Signer, spool: Path) -> RecordingFile:
    pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in signer.chain)
    muxer = Muxer(
        lambda: VideoFormat(160, 96, RATE),
        None,
        MediaSigner(signer.sign_digest, pem, VendorInfo("0.1", "SIM-0001", "Firsthand")),
        lambda at_ns: at_ns,
        recording="SIM-0001-000001",
        device_name="Test",
    )
    file = RecordingFile(spool, 1, "SIM-0001", signer, [agency.recipient], stamp, muxer)
    file.prepare_open(
        {
            "camera": CameraFacts(model="Test", firmware="0.1", firmware_sha256=NO_HASH),
            "sources": (Source(role="camera", driver="test", sensor="none", kind="simulated"),),
            "profile": ProfileRef(name="test", version=1, sha256=NO_HASH),
            "upload_class": "normal",
            "retention_class": "standard",
            "hold": False,
        },
        {"part": "opening"},
    )
    return file


def record(agency: Agency, signer: Signer, spool: Path, ring: list[Fragment]) -> tuple[Report, list[int], list[int]]:
    """Flush the ring through the real writer thread; (verdict, at which signature each is durable, durations)."""
    writer = Writer(64 * 2**20, make_room=lambda _: False, on_trouble=lambda _: None)
    file = begin(agency, signer, spool)
    durable: list[int] = []
    writer.put(Job("open", file.open))
    for fragment in ring:
        addition = Addition(fragment)
        writer.put(
            Job(
                "fragment",
                lambda one=addition: file.add(one),
                fragment.bytes,
                lambda: durable.append(getattr(signer, "count", 0)),
            )
        )
    writer.put(Job("close", lambda: file.close("button", {"part": "closing"}, ())))
    writer.start()
    assert writer.drain(120)
    writer.stop()
    path = spool / file.name
    assert len(durable) == len(ring)
    return verify_file(path, agency.trust), durable, durations(path)


def durations(path: Path) -> list[int]:
    with path.open("rb") as opened:
        said = [one.statement for one in walk(opened) if isinstance(one, StatementItem)]
    return [one.media.duration_ns for one in said if isinstance(one, Sealed) and one.media is not None]


def test_a_fast_key_signs_each_second_of_the_ring(
    agency: Agency, ring: list[Fragment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.signing_pace.SLOW_NS", 60 * SECOND)  # fast, however loaded this machine is
    report, _, found = record(agency, agency.signer(), tmp_path, ring)
    assert (report.valid, report.frames, report.fragments) == (True, 300, 30)
    assert found == [SECOND] * 30


def test_a_key_of_300_ms_catches_up_after_a_ring_of_30_s(agency: Agency, ring: list[Fragment], tmp_path: Path) -> None:
    """One statement and one picture signature for up to eight seconds. Played with a key of 120 ms, and counted."""
    signer = SlowSigner(agency.signer(), 0.12)
    report, durable, found = record(agency, signer, tmp_path, ring)
    assert (report.valid, report.frames) == (True, 300)
    assert sum(found) == 30 * SECOND
    assert max(found) == 8 * SECOND
    assert signer.count <= 5 + 5 + 5  # media messages; media statements; open, init, two metadata and close
    assert signer.count * 0.3 < 4.6  # two a second would be 60 for the ring alone: 18 s
    assert durable[0] < durable[-1] / 2  # what is joined is durable before the whole ring is


def test_one_picture_signature_for_a_joined_fragment_covers_each_of_its_groups(
    agency: Agency, ring: list[Fragment], tmp_path: Path
) -> None:
    """docs/design/keys.md, 2; judged on the export, as an expert would."""
    record(agency, SlowSigner(agency.signer(), 0.11), tmp_path, ring[:12])
    assert signed_groups(agency, tmp_path) == ["signed"] * 12


def signed_groups(agency: Agency, spool: Path) -> list[str]:
    """The verdicts on the pictures of the export."""
    directory = agency.directory
    keys = ["--vault-cert", str(directory / "vault.pem"), "--vault-key", str(directory / "vault.key")]
    file, out = str(spool / "SIM-0001-000001.evidence"), spool / "out"
    assert main(["export", file, "--root", str(directory / "root.pem"), *keys, "--out", str(out)]) == 0
    stream, broken = judge_media(next(out.glob("*.mp4")))
    assert broken is None
    assert certificate_verdict(stream, agency.trust, "SIM-0001").trusted
    return [gop.status for gop in stream.gops]


def test_fragments_with_a_hole_between_them_are_not_joined(
    agency: Agency, ring: list[Fragment], tmp_path: Path
) -> None:
    report, _, found = record(agency, SlowSigner(agency.signer(), 0.11), tmp_path, [*ring[:3], *ring[5:8]])
    assert report.valid
    assert found[:2] == [3 * SECOND, 3 * SECOND]


def test_a_joined_fragment_that_is_given_up_owes_all_its_frames(
    agency: Agency, ring: list[Fragment], tmp_path: Path
) -> None:
    file = begin(agency, SlowSigner(agency.signer(), 0.11), tmp_path)
    additions = [Addition(one) for one in ring[:3]]
    file.open()
    for one in additions:
        file.add(one)
    file._seal_held(file._ready())
    file.give_up(additions[-1], gap_of("storage_error", additions[-1].fragment))
    assert sum(gap.frames for gap in file.losses.take()) == 30
    assert recording_file.JOINED_NS == 8 * SECOND


def test_a_key_that_is_away_for_a_moment_costs_no_picture(agency: Agency, ring: list[Fragment], tmp_path: Path) -> None:
    """docs/design/keys.md, 3: the statement waits for the key; the picture's own message comes with the next one."""
    signer = SlowSigner(agency.signer(), 0, away=range(7, 10))
    report, _, found = record(agency, signer, tmp_path, ring[:6])
    assert (report.valid, report.frames, sum(found)) == (True, 60, 6 * SECOND)
    assert signed_groups(agency, tmp_path) == ["signed"] * 6


@pytest.mark.requirement("R21", "R41")
def test_what_is_filmed_while_the_key_stays_away_is_sealed_aside_and_signed_for_later(
    agency: Agency, ring: list[Fragment], tmp_path: Path, tool: Callable[[str], str]
) -> None:
    """docs/design/keys.md, 4 and 5: recording goes on; what nobody could announce is kept, named and then signed."""
    signer = SlowSigner(agency.signer(), 0)
    file = begin(agency, signer, tmp_path)
    file._signer = PacedSigner(signer, patience_ns=0)
    lost: list[int] = []
    writer = Writer(64 * 2**20, make_room=lambda _: False, on_trouble=lambda _: None, retries=0)
    writer.start()
    writer.put(Job("open", file.open))
    for number, fragment in enumerate(ring[:6]):
        if number == 2:
            signer.away = range(10**6)
        if number == 4:
            signer.away = range(0)
        addition = Addition(fragment)

        def give_up(error: OSError, one: Addition = addition) -> None:
            lost.append(1)
            assert isinstance(error, KeyFailed)
            file.give_up(one, gap_of("key_failed", one.fragment))

        writer.put(Job("fragment", lambda one=addition: file.add(one), fragment.bytes, lost=give_up))
        assert writer.drain(60)
    writer.put(Job("close", lambda: file.close("button", {"part": "closing"}, file.losses.take())))
    assert writer.drain(60)
    writer.stop()
    report = verify_file(tmp_path / file.name, agency.trust)
    assert (report.valid, report.frames, len(lost)) == (True, 40, 2)
    with (tmp_path / file.name).open("rb") as opened:
        said = [one.statement for one in walk(opened) if isinstance(one, StatementItem)]
    gaps = [one for one in said if isinstance(one, Gap)]
    assert [(gap.cause, gap.frames) for gap in gaps] == [("key_failed", 20)]
    aside = sorted((tmp_path / "aside").iterdir())
    signed_for = [one.object_sha256 for one in said if isinstance(one, Event) and one.event == "kept_aside"]
    assert signed_for == [hashlib.sha256(path.read_bytes()).hexdigest() for path in aside]
    assert len(aside) == 2
    for path in aside:  # the vault's holder opens and plays each with openssl and ffmpeg alone
        video = path.with_suffix(".mp4")
        vault = ["-recip", str(agency.directory / "vault.pem"), "-inkey", str(agency.directory / "vault.key")]
        decrypt = [tool("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", str(path)]
        subprocess.run([*decrypt, *vault, "-out", str(video)], check=True)
        played = subprocess.run(
            [tool("ffmpeg"), "-v", "error", "-i", str(video), "-map", "0:v", "-f", "null", "-"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert played.stderr == ""
        with av.open(str(video)) as opened_video:
            assert sum(1 for packet in opened_video.demux(video=0) if packet.size) == 10


@pytest.mark.requirement("R41")
def test_a_recording_is_signed_by_a_key_in_a_token(
    agency: Agency, ring: list[Fragment], tmp_path: Path, tool: Callable[[str], str]
) -> None:
    pytest.importorskip("pkcs11")
    uri, chain = token_key(agency, tmp_path, tool("softhsm2-util"))
    report, _, _ = record(agency, load_signer(uri, chain), tmp_path, ring[:3])
    assert (report.valid, report.frames, report.key_level) == (True, 30, "non_exportable")
    assert main(["unpack", str(tmp_path / "SIM-0001-000001.evidence"), "--out", str(tmp_path / "parts")]) == 0
    for path in sorted((tmp_path / "parts").glob("*.p7s")):
        command = [tool("openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", str(path)]
        subprocess.run([*command, "-CAfile", str(agency.directory / "root.pem")], capture_output=True, check=True)


def test_device_toml_names_a_key_in_a_token(tmp_path: Path) -> None:
    keys = Keys(root="r", evidence_key="pkcs11:token=Cam;object=k", evidence_chain="c", vault=["v"])
    assert in_token(keys.evidence_key)
    assert not in_token("keys/camera.key")


def token_key(agency: Agency, directory: Path, softhsm: str) -> tuple[str, Path]:
    """A camera key that was moved into a SoftHSM token: its URI and its chain."""
    import pkcs11

    camera = agency.authority.signer("camera", "Camera", serial="SIM-0001", level="non_exportable")
    (directory / "tokens").mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {directory}/tokens\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    init = [softhsm, "--init-token", "--free", "--label", "Cam", "--so-pin", "00000000", "--pin", "471147"]
    subprocess.run(init, check=True, capture_output=True)
    key, chain, pin = directory / "camera.key", directory / "camera.pem", directory / "pin"
    key.write_bytes(camera.key_pem())
    chain.write_bytes(camera.chain_pem())
    pin.write_text("471147\n")
    pin.chmod(0o600)
    put = [softhsm, "--import", str(key), "--token", "Cam", "--label", "k", "--id", "01", "--pin", "471147"]
    subprocess.run(put, check=True, capture_output=True)
    key.unlink()
    found = [*Path("/usr/lib").glob("softhsm/libsofthsm2.so"), *Path("/usr/lib").glob("*/softhsm/libsofthsm2.so")]
    pkcs11.lib(str(found[0])).reinitialize()
    return f"pkcs11:token=Cam;object=k?module-path={found[0]}&pin-source={pin}", chain


def test_a_camera_with_a_p384_key_records_and_verifies(tmp_path: Path) -> None:
    create_agency(tmp_path / "pki", curve="P-384")
    directory = Path(tempfile.mkdtemp(prefix="bench-"))  # a Unix socket's path has at most 107 bytes
    camera = CameraBench(directory, tmp_path / "pki")
    try:
        camera.start()
        stem = camera.double_press()
        camera.fragments(1)
        camera.hold_to_stop()
        camera.stop()
        assert camera.verify(stem).frames
        camera.log_statements()
    finally:
        camera.close()
        shutil.rmtree(directory, ignore_errors=True)
