"""Reading the `moov` of an init segment: tracks, timescales and codec configurations. See `evidence.fmp4_read`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evidence.boxes import Box, Fields, children, only
from evidence.errors import MediaError
from evidence.fmp4_tracks import AudioTrack, VideoTrack
from evidence.nal import PPS, SPS, Buffer, nal_type

MAX_TRACKS = 16


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """One track. `handler` is e.g. ``vide``, `entry` the sample entry's type, e.g. ``avc1``, ``mp4a``, ``gpmd``."""

    track_id: int
    handler: str
    timescale: int
    """Ticks per second."""
    entry: str
    video: VideoTrack | None = None
    audio: AudioTrack | None = None


@dataclass(frozen=True, slots=True)
class InitInfo:
    """What an init segment says. `defaults` maps track ids to (duration, size, flags) of their fragments' samples."""

    tracks: tuple[TrackInfo, ...]
    defaults: Mapping[int, tuple[int, int, int]]

    def track(self, track_id: int) -> TrackInfo | None:
        """The track with this id, or None."""
        return next((track for track in self.tracks if track.track_id == track_id), None)

    @property
    def video(self) -> VideoTrack | None:
        """The first H.264 track's description, or None."""
        return next((track.video for track in self.tracks if track.video), None)

    @property
    def audio(self) -> AudioTrack | None:
        """The first AAC track's description, or None."""
        return next((track.audio for track in self.tracks if track.audio), None)

    @property
    def gps(self) -> TrackInfo | None:
        """The GPMF track, or None."""
        return next((track for track in self.tracks if track.entry == "gpmd"), None)


def read_movie(data: Buffer, moov: Box) -> InitInfo:
    """Read a `moov` box. Raises MediaError when it is malformed or not the movie of a fragmented file."""
    inside = children(data, moov)
    tracks = tuple(_track(data, found) for found in inside if found.kind == b"trak")
    if not 0 < len(tracks) <= MAX_TRACKS or len({track.track_id for track in tracks}) != len(tracks):
        raise MediaError("an init segment needs 1 to 16 tracks with different ids")
    defaults: dict[int, tuple[int, int, int]] = {}
    for found in children(data, only(inside, b"mvex")):
        if found.kind == b"trex":
            fields = Fields(data, found)
            fields.version_and_flags()
            track_id = fields.unsigned(4)
            fields.unsigned(4)
            defaults[track_id] = (fields.unsigned(4), fields.unsigned(4), fields.unsigned(4))
    return InitInfo(tracks, defaults)


def _track(data: Buffer, trak: Box) -> TrackInfo:
    inside = children(data, trak)
    header = Fields(data, only(inside, b"tkhd"))
    version, _ = header.version_and_flags()
    header.take(16 if version == 1 else 8)
    track_id = header.unsigned(4)
    media = children(data, only(inside, b"mdia"))
    media_header = Fields(data, only(media, b"mdhd"))
    version, _ = media_header.version_and_flags()
    media_header.take(16 if version == 1 else 8)
    timescale = media_header.unsigned(4)
    if track_id == 0 or timescale == 0:
        raise MediaError("a track without id or timescale")
    handler = Fields(data, only(media, b"hdlr"))
    handler.take(8)
    kind = _text(handler.take(4))
    tables = children(data, only(children(data, only(media, b"minf")), b"stbl"))
    described = only(tables, b"stsd")
    entries = children(data, described, skip_bytes=8)
    if len(entries) != 1:
        raise MediaError("a track must have exactly one sample entry")
    entry = entries[0]
    video = _video(data, entry, timescale) if entry.kind in (b"avc1", b"avc3") else None
    audio = _audio(data, entry) if entry.kind == b"mp4a" else None
    return TrackInfo(track_id, kind, timescale, _text(entry.kind), video, audio)


def _text(four_bytes: bytes) -> str:
    if not all(32 <= byte < 127 for byte in four_bytes):
        raise MediaError(f"a four-character code with unprintable bytes: {four_bytes!r}")
    return four_bytes.decode("ascii")


def _video(data: Buffer, entry: Box, timescale: int) -> VideoTrack:
    fields = Fields(data, entry)
    fields.take(24)
    width, height = fields.unsigned(2), fields.unsigned(2)
    config = Fields(data, only(children(data, entry, skip_bytes=78), b"avcC"))
    if config.unsigned(1) != 1:
        raise MediaError("an avcC box of an unknown version")
    config.take(3)
    if config.unsigned(1) & 3 != 3:
        raise MediaError("a video track whose NAL lengths do not have 4 bytes")
    sps = _parameter_set(config, SPS, mask=0x1F)
    pps = _parameter_set(config, PPS, mask=0xFF)
    return VideoTrack(width, height, sps, pps, timescale)


def _parameter_set(config: Fields, kind: int, mask: int) -> bytes:
    if config.unsigned(1) & mask != 1:
        raise MediaError("a video track must have exactly one SPS and one PPS")
    parameter_set = config.take(config.unsigned(2))
    if nal_type(parameter_set) != kind:
        raise MediaError("an avcC box whose parameter sets are not what they should be")
    return parameter_set


def _audio(data: Buffer, entry: Box) -> AudioTrack:
    fields = Fields(data, entry)
    fields.take(16)
    channels = fields.unsigned(2)
    fields.take(6)
    sample_rate = fields.unsigned(4) >> 16
    descriptor = Fields(data, only(children(data, entry, skip_bytes=28), b"esds"))
    descriptor.version_and_flags()
    _enter(descriptor, 3)
    descriptor.unsigned(2)
    flags = descriptor.unsigned(1)
    if flags:
        raise MediaError("an esds box with dependent streams or URLs")
    _enter(descriptor, 4)
    descriptor.take(13)
    return AudioTrack(sample_rate, channels, descriptor.take(_enter(descriptor, 5)))


def _enter(fields: Fields, tag: int) -> int:
    """Read a descriptor's header (ISO/IEC 14496-1, 8.3.3); its length in bytes."""
    if fields.unsigned(1) != tag:
        raise MediaError(f"an esds box without descriptor {tag}")
    length = 0
    for _ in range(4):
        byte = fields.unsigned(1)
        length = length << 7 | byte & 0x7F
        if not byte & 0x80:
            break
    if length > fields.left_bytes:
        raise MediaError("an esds descriptor that does not fit its box")
    return length
