"""What outlives a moment: the device log, recording numbers, what a crash left behind, and the fields of `open`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from device.config import LEAD, DeviceSettings
from device.device_log import DeviceLog
from device.errors import CannotStart
from device.hardware import Hardware
from device.identity import Identity
from device.incident_note import IncidentNote, completed, opened_by
from device.muxing import Muxer
from device.profile import AcceptedProfile
from device.recording_file import RecordingFile
from device.spool import Spool
from device.timekeeping import Step, stamp_now, utc_ns_at
from device.triggers import Start
from device.writer import Job, Writer
from evidence.durable import clear_temporaries
from evidence.errors import EvidenceError
from evidence.media_signing import MediaSigner, VendorInfo
from evidence.recovery import ASIDE, Outcome, recover
from evidence.statements import FileFacts, LogHead, Source, Stamp
from hal.camera import Camera, SourceInfo
from hal.microphone import Microphone

log = logging.getLogger("firsthand.boot")


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Recordings that a crash left open."""

    recordings: tuple[Path, ...]
    in_progress: int | None
    """Number of the one that was in progress."""
    in_progress_name: str | None
    by_channel: Mapping[str | None, int] = field(default_factory=dict)
    """Numbers of all that were in progress, by camera (a vehicle has several)."""
    incident: str | None = None
    """What they belonged to."""


class Boot:
    """One boot of the camera."""

    def __init__(
        self,
        settings: DeviceSettings,
        identity: Identity,
        profile: AcceptedProfile,
        hardware: Hardware,
        writer: Writer,
    ) -> None:
        self.spool = Spool(Path(settings.spool), Path(settings.state), settings.serial)
        self._settings = settings
        self.incident = IncidentNote(Path(settings.state))
        self.station_nonce: str | None = None
        """The newest one that a station handed out."""
        self.on_logged: Callable[[str, Mapping[str, Any]], None] = lambda _event, _fields: None
        """Is told each entry as it is queued."""
        self._identity = identity
        self._profile = profile
        self._hardware = hardware
        self._writer = writer
        self.device_log = DeviceLog(
            self.spool.directory,
            identity.serial,
            identity.signer,
            identity.recipients,
            self.stamp,
            next_segment=1,
            previous=None,
            on_closed=self._segment_closed,
        )
        self.device_log.open_fields = self._common_fields

    def stamp(self) -> Stamp:
        return stamp_now(self._hardware.clock)

    def begin(self) -> Unfinished:
        """Read the spool, close what the log left open, prepare numbers. Raises `CannotStart` without a spool."""
        state, spool = Path(self._settings.state), self.spool.directory
        clear_temporaries(state, state / "receipts", spool, spool / ASIDE)
        try:
            unclosed = self.spool.load()
        except OSError as error:
            raise CannotStart(f"the spool {self.spool.directory} cannot be used: {error.strerror}") from error
        for _, number, path in [one for one in unclosed if one[0] == "log"]:
            outcome = self._recover(path)
            if outcome is not None and outcome.file is None and number == self.spool.counters.next_segment - 1:
                # Not even its `open` was whole: nothing was signed under that number. A hole would look like a loss.
                self.spool.counters = msgspec.structs.replace(self.spool.counters, next_segment=number)
        self.device_log.resume(self.spool.counters.next_segment, self.spool.last_close_hash())
        recordings = tuple(path for stream, _, path in unclosed if stream == "recording")
        stems = {number: path.stem for stream, number, path in unclosed if stream == "recording"}
        # Only the newest number, or what the note names, was in progress; another was left by an interrupted recovery.
        by_channel, incident = self.incident.read(stems.keys())
        if by_channel:
            opened = [one for path in recordings if (one := opened_by(path)) is not None]
            by_channel = completed(by_channel, opened, (LEAD, *self._settings.cameras))
        last, newest = max(stems, default=None), self.spool.counters.next_recording - 1
        in_progress = last if last == newest else max(by_channel.values(), default=None)
        name = stems[in_progress] if in_progress is not None else None
        return Unfinished(recordings, in_progress, name, by_channel, incident)

    def log_boot(self, missing: list[str]) -> None:
        """The first entry of a boot: what runs, on what, with which profile."""
        self.log(
            "boot",
            details={
                "boots": self.spool.counters.boots,
                "drivers": [self._source_row(source) for source in self._sources()],
                "missing": missing,
                "profile": {"name": self._profile.profile.name, "version": self._profile.profile.version},
            },
        )
        self.save_counters()

    @staticmethod
    def _source_row(source: Source) -> dict[str, str]:
        return {"role": source.role, "driver": source.driver, "sensor": source.sensor, "kind": source.kind}

    def save_counters(self, begun: int = 0) -> None:
        """Make the counters durable on the writer thread; `begun` is a recording that has its file now."""

        def save() -> None:
            try:
                self.spool.save_counters(begun)
            except OSError as error:  # the numbers in the spool say it too: nobody must wait for this
                log.warning("counters: %s", error)

        self._writer.put(Job("counters", save))

    # --- the device log -----------------------------------------------------------------------------------------------

    def log(self, event: str, **fields: Any) -> None:
        """Queue one entry of the signed device log. From any thread."""
        self.on_logged(event, fields)
        self._writer.put(
            Job(
                f"log {event}",
                lambda: self.device_log.event(event, **fields),
                lost=lambda error: log.error("log entry %s is lost: %s", event, error),
            )
        )

    def log_clock(self, step: Step) -> None:
        """Queue a `clock` statement."""
        self._writer.put(Job("log clock", lambda: self.device_log.clock_step(step.before, step.after, step.cause)))

    def close_log(self, reason: str) -> None:
        """End the log segment; the next entry opens a new one. In a batch of its own: no batch spans two segments."""
        self._writer.put(Job("log close", lambda: self.device_log.close(reason), alone=True))

    def _segment_closed(self, number: int, facts: FileFacts) -> None:
        self.spool.note_segment(number)
        self.spool.add_closed(facts)
        try:
            self.spool.save_counters()
        except OSError as error:
            log.warning("counters: %s", error)

    @property
    def log_head(self) -> LogHead | None:
        return self.device_log.head

    # --- recordings ---------------------------------------------------------------------------------------------------

    def make_file(self, channel: str | None = None) -> RecordingFile:
        """The file of the next recording of the first camera or a named one; nothing is on disk yet."""
        number = self.spool.take_recording_number()
        identity, hardware = self._identity, self._hardware
        camera, microphone = self._pair(channel)
        chain = b"".join(_pem(certificate) for certificate in identity.signer.chain)
        stem = f"{identity.serial}-{number:06d}"
        vendor = VendorInfo(identity.camera.firmware, identity.serial, "Firsthand")
        muxer = Muxer(
            lambda: camera.format if camera is not None else None,
            microphone.format if microphone is not None else None,
            MediaSigner(identity.signer.sign_digest, chain, vendor),
            lambda at_ns: utc_ns_at(hardware.clock, at_ns),
            recording=stem,
            device_name=identity.camera.model,
        )
        return RecordingFile(
            self.spool.directory, number, identity.serial, identity.signer, identity.recipients, self.stamp, muxer
        )

    def _pair(self, channel: str | None) -> tuple[Camera | None, Microphone | None]:
        """Camera and microphone of a channel; without a name, the first ones."""
        if channel is None:
            return self._hardware.camera, self._hardware.microphone
        one = self._hardware.channels[channel]
        return one.camera, one.microphone

    def recording_fields(self, start: Start, resumes: int | None, channel: str | None = None) -> Mapping[str, Any]:
        """Fields of a recording's `open`."""
        return {
            **self._common_fields(),
            "sources": self._sources(channel),
            "upload_class": "critical" if start.critical else "normal",
            "hold": False,
            "log_head": self.log_head,
            "resumes": resumes,
        }

    def _common_fields(self) -> dict[str, Any]:
        return {
            "camera": self._identity.camera,
            "sources": self._sources(),
            "profile": self._profile.reference,
            "retention_class": self._profile.profile.retention_class,
            "station_nonce": self.station_nonce,
        }

    def _sources(self, channel: str | None = None) -> tuple[Source, ...]:
        """What a recording is made of; the log names those of the first camera."""
        hardware = self._hardware
        camera, microphone = self._pair(channel)
        named: list[tuple[Any, SourceInfo]] = []
        if camera is not None:
            named.append(("camera", camera.info))
        if microphone is not None:
            named.append(("microphone", microphone.info))
        if hardware.gps is not None:
            # A serial port cannot tell who speaks; under a simulated certificate it is the simulator.
            kind = "simulated" if self._identity.simulated else "real"
            named.append(("gps", SourceInfo("nmea-serial", "serial", kind)))  # type: ignore[arg-type]
        return tuple(
            Source(role=role, driver=info.driver, sensor=info.sensor or "unnamed", kind=info.kind)
            for role, info in named
        )

    def closed(self, number: int, facts: FileFacts, reason: str) -> None:
        """A recording was closed (writer thread)."""
        self.spool.add_closed(facts)
        self.log("recording_closed", recording=number, word=reason, file=facts)

    # --- recovery -----------------------------------------------------------------------------------------------------

    def recover_recording(self, path: Path) -> FileFacts | None:
        """Recover a recording that a crash left open, and log what was found."""
        number = int(path.name.removesuffix(".evidence").rpartition("-")[2])
        outcome = self._recover(path)
        if outcome is None:
            return None
        if outcome.file is None:
            self.log("recording_void", recording=number)
        else:
            self.log("recording_recovered", recording=number, file=outcome.file)
        return outcome.file

    def log_unlogged(self) -> None:
        """Log recordings whose closing a crash kept out of the log: closed on the card, not named in its last words."""
        for known in self.spool.closed_but_unlogged():
            self.log("recording_closed", recording=known.number, word="found_closed", file=known.facts)

    def _recover(self, path: Path) -> Outcome | None:
        """Recover any file; None if that cannot be done now. Never raises for what the file holds."""
        try:
            outcome = recover(path, self._identity.trust, self._identity.signer, self._identity.recipients, self.stamp)
        except (OSError, EvidenceError) as error:
            log.error("%s cannot be recovered now: %s", path.name, error)
            return None
        for aside in outcome.aside:
            try:
                with aside.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                log.error("%s: %s", aside.name, error)
                continue
            self.log("set_aside", word="bytes", object_sha256=digest, details={"name": aside.name})
        if outcome.file is not None:
            log.info("%s recovered: %s", path.name, outcome.found.reason)
            self.spool.add_closed(outcome.file)
        return outcome


def _pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    pem: bytes = certificate.public_bytes(Encoding.PEM)
    return pem
