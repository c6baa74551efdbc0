"""Reading init segments and fragments strictly: every size checked, every count bounded, only MediaError raised.

It reads what `evidence.fmp4` writes and ordinary fragments of other muxers (defaults in `tfhd` and `trex`, foreign
boxes between ours, several runs). Sample data is located, not copied. Source: ISO/IEC 14496-12, 8.8.
"""

from __future__ import annotations

from dataclasses import dataclass

from evidence.boxes import Box, Fields, boxes_in, children, only
from evidence.errors import MediaError
from evidence.fmp4 import MAX_SAMPLES, SALT_BYTES, SALT_UUID
from evidence.fmp4_read_tracks import InitInfo, read_movie
from evidence.nal import Buffer

__all__ = ["FragmentInfo", "InitInfo", "SampleInfo", "TrackFragment", "parse_fragment", "parse_init", "read_salt"]

_NOT_SYNC_FLAG = 0x0001_0000


@dataclass(frozen=True, slots=True)
class SampleInfo:
    """One sample: byte offset and size in the parsed data, decode time, duration and composition offset in ticks."""

    offset: int
    size: int
    dts: int
    duration: int
    flags: int
    composition_offset: int = 0

    @property
    def sync(self) -> bool:
        """True for a sample that decoding can begin with (a key frame)."""
        return not self.flags & _NOT_SYNC_FLAG


@dataclass(frozen=True, slots=True)
class TrackFragment:
    """One track's part of a fragment; times in ticks of the track's timescale."""

    track_id: int
    base_decode_time: int
    samples: tuple[SampleInfo, ...]


@dataclass(frozen=True, slots=True)
class FragmentInfo:
    sequence_number: int
    tracks: tuple[TrackFragment, ...]

    def track(self, track_id: int) -> TrackFragment | None:
        """The track with this id, or None when the fragment has no sample of it."""
        return next((track for track in self.tracks if track.track_id == track_id), None)


def parse_init(data: Buffer) -> InitInfo:
    """Read an init segment (`ftyp`, `moov`, anything else skipped). Raises MediaError when it is malformed."""
    top = list(boxes_in(data, 0, len(data)))
    if not top or top[0].kind != b"ftyp":
        raise MediaError("an init segment must begin with `ftyp`")
    if any(found.kind in (b"moof", b"mdat") for found in top):
        raise MediaError("an init segment must not hold media data")
    return read_movie(data, only(top, b"moov"))


def parse_fragment(data: Buffer, init: InitInfo | None = None) -> FragmentInfo:
    """Read one media object: one `moof`, its `mdat`, other boxes skipped.

    `init` supplies the defaults of fragments that do not state sizes and durations themselves; ours do. Raises
    MediaError when it is malformed, or when a sample lies outside the media data.
    """
    top = list(boxes_in(data, 0, len(data)))
    moof = only(top, b"moof")
    mdats = [found for found in top if found.kind == b"mdat" and found.start > moof.start]
    if not mdats:
        raise MediaError("a fragment without media data")
    inside = children(data, moof)
    header = Fields(data, only(inside, b"mfhd"))
    header.version_and_flags()
    sequence_number = header.unsigned(4)
    tracks = []
    budget = 4 * MAX_SAMPLES
    for found in inside:
        if found.kind == b"traf":
            track = _TrackReader(data, moof, mdats, init, budget).read(found)
            budget -= len(track.samples)
            tracks.append(track)
    if len({track.track_id for track in tracks}) != len(tracks):
        raise MediaError("a fragment that names one track twice")
    return FragmentInfo(sequence_number, tuple(tracks))


def read_salt(data: Buffer) -> bytes:
    """The 32 bytes of the salt box, which must be the last box. Raises MediaError when it is not there."""
    last: Box | None = None
    for last in boxes_in(data, 0, len(data)):  # noqa: B007 - only the last one counts
        pass
    if last is None or last.kind != b"uuid" or last.end - last.body != 16 + SALT_BYTES:
        raise MediaError("the last box is not a salt box")
    fields = Fields(data, last)
    if fields.take(16) != SALT_UUID.bytes:
        raise MediaError("the last box is a foreign uuid box, not a salt box")
    return fields.take(SALT_BYTES)


class _TrackReader:
    """Reads one `traf`. Defaults come from `tfhd`, else from the init segment's `trex`."""

    def __init__(self, data: Buffer, moof: Box, mdats: list[Box], init: InitInfo | None, budget: int) -> None:
        self._data = data
        self._moof = moof
        self._mdats = mdats
        self._init = init
        self._budget = budget
        self._duration: int | None = None
        self._size: int | None = None
        self._flags: int | None = None

    def read(self, traf: Box) -> TrackFragment:
        inside = children(self._data, traf)
        track_id = self._header(Fields(self._data, only(inside, b"tfhd")))
        time = Fields(self._data, only(inside, b"tfdt"))
        version, _ = time.version_and_flags()
        base = time.unsigned(8 if version == 1 else 4)
        samples: list[SampleInfo] = []
        position: int | None = None
        dts = base
        for found in inside:
            if found.kind == b"trun":
                position, dts = self._run(Fields(self._data, found), position, dts, samples)
        return TrackFragment(track_id, base, tuple(samples))

    def _header(self, fields: Fields) -> int:
        _, flags = fields.version_and_flags()
        track_id = fields.unsigned(4)
        if flags & 0x1:
            raise MediaError("a fragment with absolute data offsets: it cannot be read apart from its file")
        if flags & 0x2:
            fields.unsigned(4)
        defaults = self._init.defaults.get(track_id) if self._init else None
        if defaults:
            self._duration, self._size, self._flags = defaults
        if flags & 0x8:
            self._duration = fields.unsigned(4)
        if flags & 0x10:
            self._size = fields.unsigned(4)
        if flags & 0x20:
            self._flags = fields.unsigned(4)
        return track_id

    def _run(self, fields: Fields, position: int | None, dts: int, samples: list[SampleInfo]) -> tuple[int, int]:
        """One `trun`: appends to `samples`, returns the byte position and decode time after it."""
        version, flags = fields.version_and_flags()
        count = fields.unsigned(4)
        if len(samples) + count > min(MAX_SAMPLES, self._budget):
            raise MediaError(f"more than {MAX_SAMPLES} samples of one track in a fragment")
        if flags & 0x1:
            position = self._moof.start + fields.signed(4)
        elif position is None:
            position = self._moof.end + 8
        first_flags = fields.unsigned(4) if flags & 0x4 else None
        for index in range(count):
            duration = fields.unsigned(4) if flags & 0x100 else self._duration
            size = fields.unsigned(4) if flags & 0x200 else self._size
            sample_flags = fields.unsigned(4) if flags & 0x400 else self._flags
            if index == 0 and first_flags is not None:
                sample_flags = first_flags
            shift = 0
            if flags & 0x800:
                shift = fields.signed(4) if version else fields.unsigned(4)
            if duration is None or size is None:
                raise MediaError("a fragment that leaves sample sizes or durations to an init segment")
            if not any(mdat.body <= position and position + size <= mdat.end for mdat in self._mdats):
                raise MediaError("a sample that lies outside the fragment's media data")
            samples.append(SampleInfo(position, size, dts, duration, sample_flags or 0, shift))
            position += size
            dts += duration
        return position, dts
