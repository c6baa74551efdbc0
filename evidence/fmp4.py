"""Writing fragmented MP4 by hand: one init segment, then fragments of one moof and one mdat, for hours on end (R16).

Why by hand: no muxer library on the camera, no copy of picture data (a fragment is a list of parts that the caller
encrypts one by one), and a fragment exists the moment its samples do. Sources: ISO/IEC 14496-12 (boxes), -14 (`mp4a`,
`esds`), -15 (`avc1`, `avcC`); the GPS track is a timed metadata track with GoPro's sample entry `gpmd`.

Every init segment and every fragment ends with a salt box: 32 random bytes in a `uuid` box that players skip, so that
the published SHA-256 of the plaintext gives nothing away (design, invariant 5).

Track ids are fixed: video 1, audio 2, GPS 3. Times are decode times in ticks of the track's own timescale; there are
no composition offsets, since the camera makes no B-frames.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evidence.boxes import box, full_box
from evidence.errors import MediaError
from evidence.fmp4_tracks import (
    AUDIO_TRACK_ID,
    GPS_TRACK_ID,
    VIDEO_TRACK_ID,
    AudioTrack,
    VideoTrack,
    audio_track_box,
    gps_track_box,
    track_defaults_box,
    video_track_box,
)
from evidence.nal import Buffer

__all__ = [
    "AUDIO_TRACK_ID",
    "GPS_TRACK_ID",
    "MAX_FRAGMENT_BYTES",
    "MAX_SAMPLES",
    "SALT_BYTES",
    "SALT_UUID",
    "VIDEO_TRACK_ID",
    "AudioSample",
    "AudioTrack",
    "GpsSample",
    "VideoSample",
    "VideoTrack",
    "init_segment",
    "media_fragment",
    "salt_box",
]

SALT_UUID: Final = uuid.UUID("7d0c1a52-6b0e-4f1c-9f43-5a1e5d9b2e66")
"""The extended type of the salt box (ISO/IEC 14496-12, 4.2)."""
SALT_BYTES: Final = 32
MAX_SAMPLES: Final = 4096
"""Most samples of one track in one fragment."""
MAX_FRAGMENT_BYTES: Final = 256 * 1024 * 1024

_SYNC: Final = 0x0200_0000  # sample_depends_on = 2: depends on no other sample
_NOT_SYNC: Final = 0x0101_0000  # depends on others, and is not a sync sample


@dataclass(frozen=True, slots=True)
class VideoSample:
    """One picture: its length-prefixed parts (see `nal.to_avcc_parts`), decode time and duration in ticks."""

    parts: Sequence[Buffer]
    dts: int
    duration: int
    keyframe: bool


@dataclass(frozen=True, slots=True)
class AudioSample:
    """One AAC access unit without ADTS header; times in audio samples."""

    data: Buffer
    dts: int
    duration: int


@dataclass(frozen=True, slots=True)
class GpsSample:
    """One GPMF payload (see `evidence.gpmf`); times in the video track's ticks."""

    data: Buffer
    dts: int
    duration: int


def init_segment(video: VideoTrack, audio: AudioTrack | None, gps: bool) -> bytes:
    """The init segment: `ftyp` and `moov`, without a salt box. The GPS track uses the video's timescale.

    Raises MediaError when a track's description is out of range or its SPS cannot be read.
    """
    tracks = [video_track_box(video)]
    ids = [VIDEO_TRACK_ID]
    if audio is not None:
        tracks.append(audio_track_box(audio))
        ids.append(AUDIO_TRACK_ID)
    if gps:
        tracks.append(gps_track_box(video.timescale))
        ids.append(GPS_TRACK_ID)
    # Not branded `cmfc`: that brand promises a single track per file (ISO/IEC 23000-19, 7.3.1).
    file_type = box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6", b"iso5", b"avc1", b"mp41")
    unity = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    header = full_box(
        b"mvhd", 0, 0, struct.pack(">IIIIIH10x", 0, 0, 1000, 0, 0x10000, 0x100), unity, bytes(24), b"\0\0\0\x04"
    )
    extends = box(b"mvex", *(track_defaults_box(track_id) for track_id in ids))
    return file_type + box(b"moov", header, *tracks, extends)


def media_fragment(
    sequence_number: int,
    video: Sequence[VideoSample],
    audio: Sequence[AudioSample] = (),
    gps: Sequence[GpsSample] = (),
) -> list[Buffer]:
    """One fragment as parts in file order, not joined: moof, mdat header, then the bytes of every sample.

    A track without samples is left out. Inside a fragment the decode times rule: a sample lasts until the next one
    begins, and `duration` counts only for the last of each track, so that no rounding error or hole ever adds up.
    Sample bytes stand in the order video, audio, GPS. Append `salt_box` to complete a media object.

    `sequence_number` (1 and up) and all times must fit their fields. Raises MediaError when they do not, when decode
    times do not increase, when there is no sample at all, or beyond MAX_SAMPLES or MAX_FRAGMENT_BYTES.
    """
    if not 0 < sequence_number < 1 << 32:
        raise MediaError(f"a fragment's sequence number must fit 32 bits and not be 0, not {sequence_number}")
    runs = [
        _Run(
            VIDEO_TRACK_ID,
            [(s.dts, s.duration, sum(map(len, s.parts)), _SYNC if s.keyframe else _NOT_SYNC) for s in video],
        ),
        _Run(AUDIO_TRACK_ID, [(s.dts, s.duration, len(s.data), _SYNC) for s in audio]),
        _Run(GPS_TRACK_ID, [(s.dts, s.duration, len(s.data), _SYNC) for s in gps]),
    ]
    runs = [run for run in runs if run.samples]
    if not runs:
        raise MediaError("a fragment needs at least one sample")
    payload_bytes = sum(run.size_bytes for run in runs)
    if payload_bytes > MAX_FRAGMENT_BYTES:
        raise MediaError(f"a fragment of {payload_bytes} bytes: at most {MAX_FRAGMENT_BYTES} are written")
    moof_bytes = 8 + 16 + sum(run.box_bytes for run in runs)
    offset = moof_bytes + 8
    boxes = []
    for run in runs:
        boxes.append(run.to_box(offset))
        offset += run.size_bytes
    moof = box(b"moof", full_box(b"mfhd", 0, 0, struct.pack(">I", sequence_number)), *boxes)
    assert len(moof) == moof_bytes
    parts: list[Buffer] = [moof, struct.pack(">I4s", 8 + payload_bytes, b"mdat")]
    for picture in video:
        parts += picture.parts
    parts += [sound.data for sound in audio]
    parts += [fix.data for fix in gps]
    return parts


class _Run:
    """One track's samples in one fragment: (decode time, duration, size in bytes, flags) each."""

    def __init__(self, track_id: int, samples: list[tuple[int, int, int, int]]) -> None:
        if len(samples) > MAX_SAMPLES:
            raise MediaError(f"{len(samples)} samples of one track in a fragment: at most {MAX_SAMPLES}")
        self.track_id = track_id
        self.samples = samples
        self.size_bytes = sum(size for _, _, size, _ in samples)
        self.box_bytes = 8 + 16 + 20 + 20 + 12 * len(samples)

    def to_box(self, data_offset: int) -> bytes:
        first_dts = self.samples[0][0]
        if not 0 <= first_dts < 1 << 63:
            raise MediaError(f"a decode time of {first_dts} ticks: it must fit 63 bits and not be negative")
        ends = [dts for dts, _, _, _ in self.samples[1:]] + [self.samples[-1][0] + self.samples[-1][1]]
        rows = bytearray()
        for (dts, _, size, flags), end in zip(self.samples, ends, strict=True):
            if not 0 < end - dts < 1 << 32:
                raise MediaError(f"decode times must increase: {dts} is followed by {end} on track {self.track_id}")
            rows += struct.pack(">III", end - dts, size, flags)
        return box(
            b"traf",
            full_box(b"tfhd", 0, 0x020000, struct.pack(">I", self.track_id)),  # default-base-is-moof
            full_box(b"tfdt", 1, 0, struct.pack(">Q", first_dts)),
            # data offset, then duration, size and flags of each sample
            full_box(b"trun", 0, 0x701, struct.pack(">Ii", len(self.samples), data_offset), bytes(rows)),
        )


def salt_box(salt: bytes) -> bytes:
    """The salt box, last in every init segment and media object. Raises MediaError unless `salt` has 32 bytes."""
    if len(salt) != SALT_BYTES:
        raise MediaError(f"a salt of {len(salt)} bytes: it must have {SALT_BYTES}")
    return box(b"uuid", SALT_UUID.bytes, salt)
