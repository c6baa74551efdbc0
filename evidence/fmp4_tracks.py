"""The `trak` boxes of an init segment: what a player must know about video, audio and GPS before the first sample.

Sources: ISO/IEC 14496-12 (track boxes), 14496-15 (avcC), 14496-14 and 14496-1 (esds). See `evidence.fmp4`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from evidence.boxes import box, full_box
from evidence.errors import MediaError
from evidence.nal import PPS, nal_type
from evidence.sps import HIGH_PROFILES, parse_sps

VIDEO_TRACK_ID: Final = 1
AUDIO_TRACK_ID: Final = 2
GPS_TRACK_ID: Final = 3

_UNITY: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED: Final = struct.pack(">HH", 0x55C4, 0)  # language "und"


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """H.264 video: size in pixels, parameter sets without start codes, ticks per second."""

    width: int
    height: int
    sps: bytes
    pps: bytes
    timescale: int = 90_000


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """AAC audio: samples per second (also the timescale), channels, AudioSpecificConfig (ISO/IEC 14496-3)."""

    sample_rate: int
    channels: int
    config: bytes


def video_track_box(video: VideoTrack) -> bytes:
    """`trak` of the H.264 video. Raises MediaError when a value is out of range or the SPS is damaged."""
    if not (0 < video.width < 1 << 16 and 0 < video.height < 1 << 16):
        raise MediaError(f"a picture size of {video.width}x{video.height} does not fit an MP4 sample entry")
    entry = box(
        b"avc1",
        _entry_start(),
        bytes(16),
        struct.pack(">HHIIIH", video.width, video.height, 0x480000, 0x480000, 0, 1),
        bytes(32),
        struct.pack(">Hh", 24, -1),
        _avc_configuration(video.sps, video.pps),
    )
    media_header = full_box(b"vmhd", 0, 1, bytes(8))
    return _track(
        VIDEO_TRACK_ID, video.timescale, b"vide", "Firsthand video", media_header, entry, video.width, video.height
    )


def audio_track_box(audio: AudioTrack) -> bytes:
    """`trak` of the AAC audio. Raises MediaError when a value is out of range."""
    if not (0 < audio.sample_rate < 1 << 16 and 0 < audio.channels <= 8 and 2 <= len(audio.config) <= 64):
        raise MediaError(f"an audio format that MP4 cannot name: {audio}")
    entry = box(
        b"mp4a",
        _entry_start(),
        bytes(8),
        struct.pack(">HHHHI", audio.channels, 16, 0, 0, audio.sample_rate << 16),
        _elementary_stream_descriptor(audio.config),
    )
    media_header = full_box(b"smhd", 0, 0, bytes(4))
    return _track(AUDIO_TRACK_ID, audio.sample_rate, b"soun", "Firsthand audio", media_header, entry)


def gps_track_box(timescale: int) -> bytes:
    """`trak` of the GPS track: handler `meta`, sample entry `gpmd`, as GoPro cameras write it."""
    entry = box(b"gpmd", _entry_start(), bytes(4))
    return _track(GPS_TRACK_ID, timescale, b"meta", "Firsthand GPS", full_box(b"nmhd", 0, 0), entry)


def track_defaults_box(track_id: int) -> bytes:
    """`trex`: the defaults of one track's fragments. We state every value in the fragments, so they are zero."""
    return full_box(b"trex", 0, 0, struct.pack(">IIIII", track_id, 1, 0, 0, 0))


def _entry_start() -> bytes:
    return bytes(6) + b"\x00\x01"  # reserved, data_reference_index 1


def _track(
    track_id: int,
    timescale: int,
    handler: bytes,
    name: str,
    media_header: bytes,
    entry: bytes,
    width: int = 0,
    height: int = 0,
) -> bytes:
    if not 0 < timescale < 1 << 31:
        raise MediaError(f"a timescale of {timescale} ticks per second is out of range")
    volume = 0x100 if handler == b"soun" else 0
    header = full_box(
        b"tkhd",
        0,
        3,  # enabled, in the movie
        struct.pack(">IIIII8xhhH2x", 0, 0, track_id, 0, 0, 0, 0, volume),
        _UNITY,
        struct.pack(">II", width << 16, height << 16),
    )
    here = full_box(b"url ", 0, 1)  # the samples are in this file
    tables = box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry),
        full_box(b"stts", 0, 0, bytes(4)),
        full_box(b"stsc", 0, 0, bytes(4)),
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, bytes(4)),
    )
    references = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), here))
    media = box(
        b"mdia",
        full_box(b"mdhd", 0, 0, struct.pack(">IIII", 0, 0, timescale, 0), _UNDETERMINED),
        full_box(b"hdlr", 0, 0, bytes(4), handler, bytes(12), name.encode(), b"\x00"),
        box(b"minf", media_header, references, tables),
    )
    return box(b"trak", header, media)


def _avc_configuration(sps: bytes, pps: bytes) -> bytes:
    info = parse_sps(sps)
    if nal_type(pps) != PPS or len(pps) >= 1 << 16:
        raise MediaError("not a picture parameter set")
    record = bytes((1, *sps[1:4], 0xFC | 3, 0xE0 | 1))  # lengths of 4 bytes, one SPS
    record += struct.pack(">H", len(sps)) + sps + b"\x01" + struct.pack(">H", len(pps)) + pps
    if info.profile_idc in HIGH_PROFILES:
        depths = (0xF8 | info.bit_depth_luma - 8, 0xF8 | info.bit_depth_chroma - 8)
        record += bytes((0xFC | info.chroma_format_idc, *depths, 0))
    return box(b"avcC", record)


def _elementary_stream_descriptor(config: bytes) -> bytes:
    specific = _descriptor(5, config)
    # MPEG-4 audio, audio stream; buffer size and bit rates unknown
    decoder = _descriptor(4, bytes((0x40, 0x15)) + bytes(11) + specific)
    return full_box(b"esds", 0, 0, _descriptor(3, bytes(3) + decoder + _descriptor(6, b"\x02")))


def _descriptor(tag: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes((tag, len(body))) + body
