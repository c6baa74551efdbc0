"""One progressive MP4 out of decrypted fragments: every sample as the camera wrote it, nothing encoded again.

Fragments are read by `evidence.fmp4_read` and their samples handed to PyAV's muxer one by one, so that only one
fragment and the muxer's sample table (some 100 bytes a sample) are in memory. All tracks are shifted by one and the
same amount, so that the earliest sample is at zero; a track that begins later gets an edit list; a hole stays a hole.

This is the one module of `evidence/` that needs PyAV (extra `export`).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.error import FFmpegError

from evidence.errors import MediaError
from evidence.fmp4_read import FragmentInfo, InitInfo, SampleInfo, parse_fragment, parse_init

MOVIE_TIMESCALE: Final = 90_000
"""Ticks per second of the edit lists: sound that begins later stays in sync to 11 microseconds."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Samples of one fragment, to be held against what its statement says."""

    frames: int
    sound_frames: int
    gps: tuple[bytes, ...]
    """The GPMF payloads."""


@dataclass(slots=True)
class _Track:
    stream: av.stream.Stream
    timescale: int
    shift: int = 0
    """Ticks that are subtracted from every time."""


class ProgressiveMp4:
    """Writes one MP4 file. The file is complete after `close`."""

    def __init__(self, path: Path, init: bytes, comment: str, creation_time: str | None = None) -> None:
        """`comment` and `creation_time` (a `Moment`) go into the file's own tags.

        Raises `MediaError` for an init segment that PyAV cannot use, OSError if the file cannot be written.
        """
        self._init: InitInfo = parse_init(init)
        self._shifted = False
        self._last_picture: av.Packet[Any] | None = None
        self.samples = 0
        """Samples written; a file without any is never begun."""
        try:
            with av.open(io.BytesIO(init), format="mp4") as described:
                options = {"movflags": "faststart", "movie_timescale": str(MOVIE_TIMESCALE)}
                self._output = av.open(str(path), "w", format="mp4", options=options)
                self._output.metadata["comment"] = comment
                if creation_time is not None:
                    self._output.metadata["creation_time"] = creation_time
                self._tracks = self._add_tracks(described)
        except FFmpegError as error:
            raise MediaError(f"the init segment cannot be used: {error.strerror}") from error

    def _add_tracks(self, described: av.container.InputContainer | av.container.OutputContainer) -> dict[int, _Track]:
        tracks: dict[int, _Track] = {}
        for info, stream in zip(self._init.tracks, described.streams, strict=True):
            if info.entry == "gpmd":
                added: av.stream.Stream = self._output.add_data_stream("bin_data")
            else:
                # opaque: the description is copied, no encoder is opened
                added = self._output.add_stream_from_template(stream, opaque=True)
            added.time_base = Fraction(1, info.timescale)
            tracks[info.track_id] = _Track(added, info.timescale)
        return tracks

    def add(self, media: bytes) -> Counted:
        """Append one decrypted media object. Raises `MediaError`, OSError."""
        fragment = parse_fragment(media, self._init)
        if not self._shifted:
            self._set_origin(fragment)
        samples = [
            (Fraction(sample.dts, self._tracks[run.track_id].timescale), run.track_id, sample)
            for run in fragment.tracks
            if run.track_id in self._tracks
            for sample in run.samples
        ]
        view = memoryview(media)
        for _, track_id, sample in sorted(samples, key=lambda one: one[:2]):
            self._write(self._tracks[track_id], sample, view)
        return self._count(fragment, media)

    def _set_origin(self, fragment: FragmentInfo) -> None:
        begins = [
            Fraction(run.samples[0].dts, self._tracks[run.track_id].timescale)
            for run in fragment.tracks
            if run.samples and run.track_id in self._tracks
        ]
        if begins:
            self._shifted = True
            for track in self._tracks.values():
                track.shift = round(min(begins) * track.timescale)

    def _write(self, track: _Track, sample: SampleInfo, data: memoryview) -> None:
        packet: av.Packet[Any] = av.Packet(bytes(data[sample.offset : sample.offset + sample.size]))
        packet.stream = track.stream
        packet.time_base = Fraction(1, track.timescale)
        packet.dts = sample.dts - track.shift
        packet.pts = packet.dts + sample.composition_offset
        packet.duration = sample.duration
        packet.is_keyframe = sample.sync
        self.samples += 1
        if track.stream.type != "video":
            self._mux(packet)
            return
        before, self._last_picture = self._last_picture, packet
        if before is not None:
            self._mux(before)

    def _mux(self, packet: av.Packet[Any]) -> None:
        try:
            self._output.mux(packet)
        except FFmpegError as error:
            raise MediaError(f"a sample at {packet.dts} ticks cannot be written: {error.strerror}") from error

    def _count(self, fragment: FragmentInfo, media: bytes) -> Counted:
        frames = sound_frames = 0
        gps: list[bytes] = []
        for run in fragment.tracks:
            info = self._init.track(run.track_id)
            if info is None:
                raise MediaError(f"a fragment of track {run.track_id}, which the init segment does not describe")
            if info.handler == "vide":
                frames += len(run.samples)
            elif info.handler == "soun":
                sound_frames += len(run.samples)
            elif info.entry == "gpmd":
                gps += [media[one.offset : one.offset + one.size] for one in run.samples]
        return Counted(frames, sound_frames, tuple(gps))

    def close(self) -> None:
        """Finish the file: the sample table goes to its front. Raises `MediaError`, OSError."""
        last, self._last_picture = self._last_picture, None
        if last is not None:
            # One tick more, else GStreamer takes the signature behind the last picture to lie after the end, drops it,
            # and ONVIF's validator leaves the last group of pictures pending.
            last.duration = (last.duration or 0) + 1
            self._mux(last)
        try:
            self._output.close()
        except FFmpegError as error:
            raise MediaError(f"the MP4 file cannot be finished: {error.strerror}") from error

    def abandon(self) -> None:
        """Close without caring for the result; the caller removes the file."""
        try:
            self._output.close()
        except (FFmpegError, OSError):
            return
