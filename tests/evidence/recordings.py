"""An agency on disk, and recordings with real H.264 and AAC inside, written as a camera writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from encoded_media import FRAME_TICKS, audio_samples, pictures, sounds, video_samples, video_track

from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.fmp4 import GpsSample, init_segment, media_fragment
from evidence.gpmf import GpsPoint, gps_sample
from evidence.keys import FileSigner, load_certificates
from evidence.sealed import Recipient, seal
from evidence.statements import (
    NO_HASH,
    CameraFacts,
    MediaFacts,
    ProfileRef,
    Sealed,
    Source,
    Stamp,
    Utc,
    moment,
    moment_ns,
)
from evidence.trust import Trust
from evidence.verify import Report, StreamVerifier, file_name
from fleet.ca import Authority, create_agency, write_credential

FRAMES = 25
BOOT = "6b0e4f1c-1111-4222-8333-5a1e5d9b2e66"
SECOND = 10**9
SOUND_FRAMES = 47


@dataclass(frozen=True)
class Agency:
    """Certificates and keys on disk, with what most tests load from them."""

    directory: Path
    authority: Authority
    trust: Trust
    recipient: Recipient

    def signer(self, stem: str = "camera") -> FileSigner:
        return FileSigner.load(self.directory / f"{stem}.key", self.directory / f"{stem}.pem")

    def file(self, name: str) -> str:
        return str(self.directory / name)


def make_agency(directory: Path, *, simulated: bool = True) -> Agency:
    authority = create_agency(directory, simulated=simulated)
    write_credential(directory, "export", authority.signer("export", "Export desk", serial="DESK-1"))
    write_credential(directory, "camera-2", authority.signer("camera", "Camera SIM-0002", serial="SIM-0002"))
    recipient = Recipient.of(load_certificates(directory / "vault.pem")[0])
    return Agency(directory, authority, Trust.load(directory / "root.pem"), recipient)


@dataclass
class Ticks:
    """A clock that each stamp moves on by a millisecond; it begins at the test's own now."""

    mono_ns: int
    utc_ns: int
    boot: str = BOOT
    source: str = "ntp"

    def __call__(self) -> Stamp:
        self.mono_ns += 1_000_000
        self.utc_ns += 1_000_000
        utc = Utc(earliest=moment(self.utc_ns - 5_000_000), latest=moment(self.utc_ns + 5_000_000), source=self.source)  # type: ignore[arg-type]
        return Stamp(boot=self.boot, mono_ns=self.mono_ns, utc=utc)


def fix(second: int) -> GpsPoint:
    """A position in nanodegrees that tells its second."""
    return GpsPoint(
        latitude_nd=47_123_456_789 + second,
        longitude_nd=-8_000_000_001 - second,
        altitude_mm=408_000,
        utc_ns=1_790_000_000 * SECOND + second * SECOND,
        dimensions=3,
        satellites=9,
    )


@dataclass
class Recipe:
    """How a recording is made."""

    seconds: int = 2
    sound_in: Sequence[int] | None = None
    """Seconds that have sound; None: all, empty: no audio track at all."""
    fix_in: Sequence[int] = (0, 1)
    first_tick: int = 90_000
    """Video decode time of the first frame, 90 kHz."""
    hole_after: int | None = None
    """Ten seconds are missing after this second."""
    sound_delay: int = 0
    """Audio samples (48 kHz) by which sound begins after the pictures."""
    sound_offsets_us: Sequence[int] = ()
    """What the camera measured in each second."""
    kind: str = "simulated"
    serial: str = "SIM-0001"
    number: int = 1
    close: bool = True
    time_source: str = "ntp"
    stream: str = "recording"
    """`log` leaves the media out."""
    wrong_commitment: bool = False
    """The last metadata object holds something else than its statement commits to."""
    metadata: dict[str, object] = field(default_factory=lambda: {"officer": "4711", "triggers": ["record_button"]})


def write_media(writer: EvidenceWriter, recipe: Recipe, mono_ns: int) -> None:
    """Init segment and one fragment a second, each second committed."""
    track, sound = sounds()
    with_sound = recipe.sound_in is None or bool(recipe.sound_in)
    writer.seal_mp4("init", [init_segment(video_track(), track if with_sound else None, gps=True)])
    late = 0
    for second in range(recipe.seconds):
        at = second + late
        video = video_samples(pictures()[FRAMES * (second % 2) :][:FRAMES], FRAMES * at)
        video = [type(one)(one.parts, one.dts + recipe.first_tick, one.duration, one.keyframe) for one in video]
        heard: list[bytes] = []
        if with_sound and (recipe.sound_in is None or second in recipe.sound_in):
            heard = sound[SOUND_FRAMES * (second % 2) :][:SOUND_FRAMES]
        first = recipe.first_tick * 48 // 90 + recipe.sound_delay + at * 48_000
        fixes = [fix(second)] if second in recipe.fix_in else []
        payload = gps_sample(fixes, [], "Firsthand")
        parts = media_fragment(
            second + 1,
            video,
            audio_samples(heard, first),
            [GpsSample(payload, recipe.first_tick + at * 90_000, FRAMES * FRAME_TICKS)],
        )
        facts = MediaFacts(
            start_ns=mono_ns + at * SECOND,
            duration_ns=SECOND,
            frames=FRAMES,
            first_frame=FRAMES * at,
            sound_frames=len(heard),
            gps_fixes=len(fixes),
            sound_offset_us=recipe.sound_offsets_us[second] if heard and recipe.sound_offsets_us else None,
        )
        writer.seal_mp4("media", parts, facts)
        writer.commit()
        if second == recipe.hole_after:
            late = 10
            start = facts.start_ns + SECOND
            writer.gap(cause="camera_silent", start_ns=start, end_ns=start + late * SECOND)


def seal_under_a_false_commitment(writer: EvidenceWriter, agency: Agency) -> None:
    """What a broken camera would do; it goes around the writer's own care."""
    sealed = seal([b"{}"], [agency.recipient])
    digest = hashlib.sha256(sealed).hexdigest()
    fields = {"object": "metadata", "sha256": digest, "bytes": len(sealed), "commitment": "1" * 64}
    writer._append(Sealed, fields)
    writer.chain.take_object(len(sealed), digest)
    writer._add(sealed)


def write_recording(agency: Agency, directory: Path, recipe: Recipe | None = None, signer: str = "camera") -> Path:
    """An evidence file as a camera writes it; its path."""
    recipe = recipe or Recipe()
    path = directory / file_name(recipe.serial, recipe.stream, recipe.number)
    clock = Ticks(3600 * SECOND, moment_ns(agency_now(agency)), source=recipe.time_source)
    with AppendFile.create(path) as file:
        writer = EvidenceWriter(
            file,
            agency.signer(signer),
            [agency.recipient],
            clock,
            serial=recipe.serial,
            stream=recipe.stream,  # type: ignore[arg-type]
            number=recipe.number,
        )
        writer.open(
            camera=CameraFacts(model="Test camera", firmware="0.1.0", firmware_sha256=NO_HASH),
            sources=(Source(role="camera", driver="test", sensor="none", kind=recipe.kind),),  # type: ignore[arg-type]
            profile=ProfileRef(name="test", version=1, sha256=NO_HASH),
            upload_class="normal",
            retention_class="standard",
            hold=False,
        )
        if recipe.stream == "recording":
            write_media(writer, recipe, clock.mono_ns)
        writer.event("marker", details={"by": "officer"})
        if recipe.wrong_commitment:
            seal_under_a_false_commitment(writer, agency)
        writer.seal_metadata(recipe.metadata)
        writer.commit()
        if recipe.close:
            writer.close("button")
            writer.commit()
    return path


def agency_now(agency: Agency) -> str:
    """A moment an hour after the certificates begin (they begin a day ago)."""
    begin = agency.authority.validity.start
    return moment(int(begin.timestamp() + 3600) * SECOND)


def judge(trust: Trust, data: bytes, name: str = "SIM-0001-000001.evidence") -> Report:
    """Verify bytes as a file of that name."""
    verifier = StreamVerifier(trust, name)
    verifier.feed(data)
    return verifier.finish()
