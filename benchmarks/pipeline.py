"""The recorder and the writer of the camera in this process: what one second of video costs, as fast as it goes.

Honest faster than real time: each fragment of a second is waited for until it is durable before the next one is filmed,
so that there are as many batches, signatures and flushes as in a shift.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import replay
from cryptography.hazmat.primitives.serialization import Encoding

from device.delivery import Told
from device.muxing import Muxer
from device.recorder import Recorder
from device.recording_file import RecordingFile
from device.ring import Ring
from device.triggers import Start
from device.writer import Writer
from evidence.keys import FileSigner, load_certificates
from evidence.media_signing import MediaSigner, VendorInfo
from evidence.sealed import Recipient
from evidence.statements import CameraFacts, ProfileRef, Source, Stamp, Utc, moment
from fleet.ca import create_agency
from hal.camera import VideoFormat

OPEN = {
    "camera": CameraFacts(model="benchmark", firmware="0", firmware_sha256="0" * 64),
    "sources": (Source(role="camera", driver="replay", sensor="benchmark", kind="simulated"),),
    "profile": ProfileRef(name="benchmark", version=0, sha256="0" * 64),
    "upload_class": "normal",
    "retention_class": "standard",
    "hold": False,
}
START_NS = 10**12


def stamp() -> Stamp:
    now = time.time_ns()
    utc = Utc(earliest=moment(now - 10**6), latest=moment(now + 10**6), source="ntp")
    return Stamp(boot="00000000-0000-0000-0000-000000000000", mono_ns=time.monotonic_ns(), utc=utc)


class Pipeline:
    """Ring, recorder, writer and one recording file after another, in `directory`; of 1080p30, or of that stream."""

    def __init__(self, directory: Path, stream: replay.Stream | None = None) -> None:
        self.directory = directory
        create_agency(directory / "pki")
        self._signer = FileSigner.load(directory / "pki" / "camera.key", directory / "pki" / "camera.pem")
        self._recipient = Recipient.of(load_certificates(directory / "pki" / "vault.pem")[0])
        self._numbers = iter(range(1, 1_000_000))
        self._durable = threading.Semaphore(0)
        self._closed = threading.Semaphore(0)
        self._stream = stream or replay.Stream(replay.encode(replay.BUILD / "1080p30.h264"))

    def _file(self) -> RecordingFile:
        number = next(self._numbers)
        chain = b"".join(one.public_bytes(Encoding.PEM) for one in self._signer.chain)
        muxer = Muxer(
            lambda: VideoFormat(1920, 1080, float(replay.RATE)),
            None,
            MediaSigner(self._signer.sign_digest, chain, VendorInfo("0", "SIM-0001", "Firsthand")),
            lambda at_ns: at_ns,
            recording=f"SIM-0001-{number:06d}",
            device_name="benchmark",
        )
        return RecordingFile(self.directory, number, "SIM-0001", self._signer, (self._recipient,), stamp, muxer)

    @contextmanager
    def recorder(self) -> Iterator[Recorder]:
        """A recorder whose writer runs."""
        writer = Writer(112 * 2**20, make_room=lambda _: False, on_trouble=lambda _: None)
        told = Told(
            opened=lambda _: None,
            durable=lambda _, __: self._durable.release(),
            closed=lambda _, __, ___: self._closed.release(),
            trouble=lambda _, cause: print(f"trouble: {cause}"),
        )
        writer.start()
        try:
            yield Recorder(Ring(30 * 10**9, 48 * 2**20, False), writer, self._file, lambda *_: OPEN, told)
        finally:
            writer.stop()

    def record(self, recorder: Recorder, seconds: int) -> float:
        """Film and record so many seconds; CPU seconds of this process that it took."""
        began = time.process_time()
        recorder.start(Start("benchmark", critical=False, at_ns=START_NS, manual=True), {})
        for number in range(seconds * replay.RATE):
            recorder.on_frame(self._stream.frame(number, START_NS + number * 10**9 // replay.RATE))
            if number and number % replay.RATE == 0:
                self._durable.acquire()
        recorder.stop("benchmark", START_NS + seconds * 10**9)
        self._durable.acquire()
        self._closed.acquire()
        recorder.drop_ring()
        return time.process_time() - began
