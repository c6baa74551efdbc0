"""Judging the media signatures inside any video file that PyAV demuxes: an export, a remux of it, a raw `.h264`.

Nothing is decoded and nothing is trusted but the bytes of the NAL units: containers may have been rewritten by anyone.
One access unit is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
from av.error import FFmpegError

from evidence.errors import MediaError, NotEvidence
from evidence.media_verify import MediaVerifier, StreamVerdict
from evidence.nal import MAX_ACCESS_UNIT_BYTES, MAX_NALS, Buffer, nal_type, split_annexb, split_avcc


def access_units(path: Path, on_bytes: Callable[[int], None] | None = None) -> Iterator[Sequence[Buffer]]:
    """The NAL units of each access unit of the file's first H.264 stream, in the order of the file.

    `on_bytes` is told about how far the file was read. Raises `NotEvidence` for a file without H.264 that PyAV opens,
    and `MediaError` where the stream is damaged.
    """
    try:
        with av.open(str(path)) as file:
            found = [one for one in file.streams.video if one.codec_context.name == "h264"]
            if not found:
                raise NotEvidence(f"{path} holds no H.264 video: only that is signed in the picture")
            described = bytes(found[0].codec_context.extradata or b"")
            for packet in file.demux(found[0]):
                if packet.size:
                    yield _split(bytes(packet), described)
                if on_bytes is not None and packet.pos is not None:
                    on_bytes(packet.pos)
    except FFmpegError as error:
        raise NotEvidence(f"{path} cannot be read as a video: {error.strerror}") from error


def _split(data: bytes, described: bytes) -> Sequence[Buffer]:
    """One packet: with length prefixes if the stream is described as `avcC` (first octet 1), else as a byte stream."""
    if described[:1] != b"\x01" or len(described) < 7:
        return split_annexb(data)
    octets = 1 + (described[4] & 3)
    return split_avcc(data) if octets == 4 else _short_lengths(data, octets)


def _short_lengths(data: bytes, octets: int) -> Sequence[Buffer]:
    """Other muxers may write lengths of 1 or 2 octets (ISO/IEC 14496-15, 5.3.3.1)."""
    if len(data) > MAX_ACCESS_UNIT_BYTES:
        raise MediaError(f"a video sample of {len(data)} bytes: at most {MAX_ACCESS_UNIT_BYTES} are accepted")
    nals: list[Buffer] = []
    position, view = 0, memoryview(data)
    while position < len(data):
        start = position + octets
        position = start + int.from_bytes(data[position:start], "big")
        if position > len(data) or start > len(data) or len(nals) == MAX_NALS:
            raise MediaError("a NAL unit reaches beyond its video sample")
        nal_type(view[start:position])
        nals.append(view[start:position])
    return nals


def judge_media(path: Path, on_bytes: Callable[[int], None] | None = None) -> tuple[StreamVerdict, str | None]:
    """The verdict on every group of pictures, and a sentence where the stream broke off unreadable (None: to the end).

    Raises `NotEvidence` if the file is no video at all, or cannot be read.
    """
    verifier = MediaVerifier()
    broken: str | None = None
    try:
        for nals in access_units(path, on_bytes):
            verifier.feed(nals)
    except MediaError as error:
        broken = f"the stream cannot be read further: {error}"
    return verifier.finish(), broken
