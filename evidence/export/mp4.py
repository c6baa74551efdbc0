"""One progressive MP4 out of decrypted fragments: every sample as the camera wrote it, nothing encoded again.

Fragments are read by `evidence.fmp4_read` and their samples handed to PyAV's muxer one by one, so that only one
fragment and the muxer's sample table (some 100 bytes a sample) are in memory. All tracks are shifted by one and the
same amount, so that the earliest sample is at zero; a track that begins later gets an edit list; a hole stays a hole.

This module, `media_file` and `thumbnails` are the only ones of `evidence/` that need PyAV (extra `export`).
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.error import FFmpegError

from evidence.errors import MediaError
from evidence.export import captions
from evidence.fmp4_read import FragmentInfo, InitInfo, SampleInfo, parse_fragment, parse_init

MOVIE_TIMESCALE: Final = 90_000
"""Ticks per second of the edit lists: sound that begins later stays in sync to 11 microseconds."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A place that a player can jump to, in seconds of this file."""

    at_s: float
    title: str


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
    time_base: Fraction
    is_video: bool
    shift: int = 0
    """Ticks that are subtracted from every time."""


class ProgressiveMp4:
    """Writes one MP4 file. The file is complete after `close`."""

    def __init__(
        self, path: Path, init: bytes, comment: str, creation_time: str | None = None, *, captioned: bool = True
    ) -> None:
        """`comment` and `creation_time` (a `Moment`) go into the file's own tags.

        Raises `MediaError` for an init segment that PyAV cannot use, OSError if the file cannot be written.
        """
        self.init: InitInfo = parse_init(init)
        self._shifted = False
        self._last_picture: av.Packet[Any] | None = None
        self._path = path
        self._captions: av.stream.Stream | None = None
        self.begin_s = self.end_s = 0.0
        """Where the last fragment's pictures begin and end, in seconds of this file."""
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
                self._ticks = math.lcm(*(track.timescale for track in self._tracks.values()))
                self._captions = self._add_captions() if captioned else None
        except FFmpegError as error:
            raise MediaError(f"the init segment cannot be used: {error.strerror}") from error

    def _add_tracks(self, described: av.container.InputContainer | av.container.OutputContainer) -> dict[int, _Track]:
        tracks: dict[int, _Track] = {}
        for info, stream in zip(self.init.tracks, described.streams, strict=True):
            if info.entry == "gpmd":
                added: av.stream.Stream = self._output.add_data_stream("bin_data")
            else:
                # opaque: the description is copied, no encoder is opened
                added = self._output.add_stream_from_template(stream, opaque=True)
            added.time_base = Fraction(1, info.timescale)
            tracks[info.track_id] = _Track(added, info.timescale, added.time_base, added.type == "video")
        return tracks

    def _add_captions(self) -> av.stream.Stream:
        with av.open(io.BytesIO(captions.description(MOVIE_TIMESCALE)), format="mp4") as described:
            added = self._output.add_stream_from_template(described.streams[0], opaque=True)
        added.time_base = Fraction(1, MOVIE_TIMESCALE)
        return added

    def caption(self, at_s: float, duration_s: float, text: str) -> None:
        """Text for a part of the recording, in the track that a player can switch on, if there is one.

        Raises `MediaError`, OSError.
        """
        if self._captions is None:
            return
        packet: av.Packet[Any] = av.Packet(captions.sample(text))
        packet.stream = self._captions
        packet.time_base = Fraction(1, MOVIE_TIMESCALE)
        packet.pts = packet.dts = round(at_s * MOVIE_TIMESCALE)
        packet.duration = max(1, round(duration_s * MOVIE_TIMESCALE))
        packet.is_keyframe = True
        self._mux(packet)

    def set_chapters(self, chapters: Sequence[Chapter]) -> None:
        """Where a player can jump to; each chapter lasts until the next one. To be called before `close`."""
        ends = [*(one.at_s for one in chapters[1:]), self.end_s]
        listed: list[dict[str, Any]] = [
            {
                "id": number,
                "start": round(one.at_s * 1000),
                "end": max(round(end * 1000), round(one.at_s * 1000) + 1),
                "time_base": Fraction(1, 1000),
                "metadata": {"title": one.title},
            }
            for number, (one, end) in enumerate(zip(chapters, ends, strict=True), 1)
        ]
        self._output.set_chapters(listed)  # type: ignore[arg-type]

    def add(self, media: bytes) -> Counted:
        """Append one decrypted media object. Raises `MediaError`, OSError."""
        fragment = parse_fragment(media, self.init)
        if not self._shifted:
            self._set_origin(fragment)
        samples = [
            (sample.dts * (self._ticks // self._tracks[run.track_id].timescale), run.track_id, sample)
            for run in fragment.tracks
            if run.track_id in self._tracks
            for sample in run.samples
        ]
        self._note_times(fragment)
        view = memoryview(media)
        for _, track_id, sample in sorted(samples, key=lambda one: one[:2]):
            self._write(self._tracks[track_id], sample, view)
        return self._count(fragment, media)

    def _note_times(self, fragment: FragmentInfo) -> None:
        """Where this fragment's pictures begin and end in the file."""
        for run in fragment.tracks:
            track = self._tracks.get(run.track_id)
            if track is not None and track.is_video and run.samples:
                first, last = run.samples[0], run.samples[-1]
                self.begin_s = (first.dts - track.shift) / track.timescale
                self.end_s = (last.dts - track.shift + last.duration) / track.timescale

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
        packet: av.Packet[Any] = av.Packet(data[sample.offset : sample.offset + sample.size])  # type: ignore[arg-type]
        packet.stream = track.stream
        packet.time_base = track.time_base
        packet.dts = sample.dts - track.shift
        packet.pts = packet.dts + sample.composition_offset
        packet.duration = sample.duration
        packet.is_keyframe = sample.sync
        self.samples += 1
        if not track.is_video:
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
            info = self.init.track(run.track_id)
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
        if self.samples:
            captions.switch_off(self._path)

    def abandon(self) -> None:
        """Close without caring for the result; the caller removes the file."""
        try:
            self._output.close()
        except (FFmpegError, OSError):
            return
