"""A recorder on the bench: pictures go in frame by frame, evidence files come out, on a card that a test may spoil."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from camera_bench import SECOND, media, statements

from device.fragments import Fragment
from device.muxing import Muxer
from device.recorder import Recorder, Told
from device.recording_file import RecordingFile
from device.ring import Ring
from device.roll_over import FileLimits
from device.session import Session
from device.triggers import Start
from device.writer import Writer
from evidence.keys import FileSigner, load_certificates
from evidence.media_signing import MediaSigner, VendorInfo
from evidence.sealed import Recipient
from evidence.statements import CameraFacts, Gap, ProfileRef, Source, Stamp, Utc, moment
from evidence.trust import Trust
from evidence.verify import verify_file
from hal.camera import EncodedFrame, VideoFormat
from hal.clock import boottime_ns
from hal.x264 import X264Encoder
from simulator.drivers.picture import Picture

RATE = 10


def encoded(seconds: int) -> list[tuple[bytes, bool]]:
    """So many seconds of encoded grey."""
    encoder, picture = X264Encoder(160, 96, Fraction(RATE), 100_000), Picture(160, 96)
    return [encoder.encode(picture.frame, n, keyframe=n % RATE == 0) for n in range(seconds * RATE)]


def stamp() -> Stamp:
    now_ns = time.time_ns()
    claim = Utc(earliest=moment(now_ns - 10**7), latest=moment(now_ns + 10**7), source="ntp")
    return Stamp(boot="00000000-0000-4000-8000-000000000001", mono_ns=boottime_ns(), utc=claim)


@dataclass
class Rig:
    """A recorder with its writer on a card that a test makes fail."""

    pki: Path
    spool: Path
    pictures: list[tuple[bytes, bool]]
    troubles: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    number: int = 0
    limits: FileLimits | None = None
    makes_room: bool = False
    criticals: list[bool] = field(default_factory=list)
    """Of the starts that `open` was asked for."""
    on_fragment: Callable[[Session, Fragment], None] = lambda _session, _fragment: None

    def __post_init__(self) -> None:
        self.signer = FileSigner.load(self.pki / "camera.key", self.pki / "camera.pem")
        self.recipients = (Recipient.of(load_certificates(self.pki / "vault.pem")[0]),)
        self.writer = Writer(10**7, make_room=lambda reserve: self.makes_room, on_trouble=lambda _: None)
        self.begin_ns = boottime_ns() - 20 * SECOND
        self.recorder = Recorder(
            Ring(2 * SECOND, 10**7, keep_sound=False),
            self.writer,
            self._file,
            self._open_fields,
            Told(
                lambda session: None,
                lambda session, facts: None,
                lambda session, facts, reason: self.closed.append(reason),
                lambda session, cause: self.troubles.append(cause),
            ),
            limits=self.limits,
        )
        deliver = self.recorder._delivery.fragment

        def note(session: Session, fragment: Fragment) -> None:
            self.on_fragment(session, fragment)
            deliver(session, fragment)

        self.recorder._delivery.fragment = note  # type: ignore[method-assign]

    def _open_fields(self, start: Start, resumes: int | None) -> Mapping[str, Any]:
        self.criticals.append(start.critical)
        return {
            "camera": CameraFacts(model="m", firmware="1", firmware_sha256="0" * 64),
            "sources": (Source(role="camera", driver="d", sensor="s", kind="simulated"),),
            "profile": ProfileRef(name="p", version=1, sha256="0" * 64),
            "retention_class": "standard",
            "upload_class": "critical" if start.critical else "normal",
            "hold": False,
            "resumes": resumes,
        }

    def _file(self) -> RecordingFile:
        self.number += 1
        chain = (self.pki / "camera.pem").read_bytes()
        muxer = Muxer(
            lambda: VideoFormat(160, 96, float(RATE)), None,
            MediaSigner(self.signer.sign_digest, chain, VendorInfo("1", "SIM-0001", "F")),
            lambda at_ns: 1_700_000_000 * SECOND, recording=f"SIM-0001-{self.number:06d}", device_name="m",
        )  # fmt: skip
        return RecordingFile(self.spool, self.number, "SIM-0001", self.signer, self.recipients, stamp, muxer)

    def film(self, first: int, end: int, skip: range = range(0)) -> None:
        """Frames `first` to `end` (excluded), without those in `skip`."""
        for n in range(first, end):
            if n not in skip:
                data, key = self.pictures[n]
                self.recorder.on_frame(EncodedFrame(data, key, self.at_ns(n), n))

    def at_ns(self, frame: int) -> int:
        return self.begin_ns + frame * SECOND // RATE

    def trigger(self, name: str, frame: int, *, critical: bool = False) -> Start:
        return Start(name, critical, self.at_ns(frame), manual=name == "record_button")

    def start(self, frame: int) -> Session:
        return self.recorder.start(self.trigger("record_button", frame), {})

    def stop(self, frame: int) -> None:
        self.recorder.stop("record_button", self.at_ns(frame))

    def settle(self) -> None:
        assert self.writer.drain(60)

    @property
    def path(self) -> Path:
        return self.spool / f"SIM-0001-{self.number:06d}.evidence"

    def verify(self, path: Path | None = None) -> None:
        report = verify_file(path or self.path, Trust.load(self.pki / "root.pem"))
        assert report.valid, report.findings

    def gaps(self) -> list[tuple[str, int, int, int]]:
        """(cause, first frame, frame after the end, frames) by the stated times."""
        return [
            (one.cause, self.frame(one.start_ns), self.frame(one.end_ns), one.frames)
            for one in statements(self.path)
            if isinstance(one, Gap)
        ]

    def frame(self, at_ns: int) -> int:
        return round((at_ns - self.begin_ns) * RATE / SECOND)

    def account(self, first: int, end: int) -> None:
        """Every frame from `first` to `end` is in the file or in a gap, and none in both."""
        facts = [one.media for one in media(self.path) if one.media is not None]
        held = [n for one in facts for n in range(one.first_frame, one.first_frame + one.frames)]
        assert len(held) == len(set(held))
        assert len(held) + sum(gap[3] for gap in self.gaps()) == end - first
