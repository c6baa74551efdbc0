"""What an H.264 sequence parameter set says: profile, level, picture size after cropping (ITU-T H.264, 7.3.2.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from evidence.errors import MediaError
from evidence.nal import MAX_PARAMETER_SET_BYTES, SPS, Buffer, nal_type, unescape

HIGH_PROFILES: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Profiles whose SPS names the chroma format and bit depths."""
MAX_SIDE_PIXELS: Final = 16_384


@dataclass(frozen=True, slots=True)
class SpsInfo:
    """Facts from a sequence parameter set; `level_idc` 31 means level 3.1; sizes are in luma pixels."""

    profile_idc: int
    constraint_flags: int
    level_idc: int
    chroma_format_idc: int
    bit_depth_luma: int
    bit_depth_chroma: int
    width: int
    height: int


class _Bits:
    """A bit reader that knows Exp-Golomb codes and never reads beyond its end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def read(self, count: int) -> int:
        if count > self._left:
            raise MediaError("a sequence parameter set that ends too early")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def unsigned(self) -> int:
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 31:
                raise MediaError("a sequence parameter set with an impossible number")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def parse_sps(nal: Buffer) -> SpsInfo:
    """Read a sequence parameter set NAL unit. Raises MediaError when it is not one or is damaged."""
    if nal_type(nal) != SPS or not 4 <= len(nal) <= MAX_PARAMETER_SET_BYTES:
        raise MediaError("not a sequence parameter set")
    bits = _Bits(unescape(nal)[1:])
    profile, constraints, level = bits.read(8), bits.read(8), bits.read(8)
    bits.unsigned()  # seq_parameter_set_id
    chroma, luma_depth, chroma_depth = 1, 8, 8
    if profile in HIGH_PROFILES:
        chroma = bits.unsigned()
        separate_planes = bits.read(1) if chroma == 3 else 0
        luma_depth, chroma_depth = bits.unsigned() + 8, bits.unsigned() + 8
        bits.read(1)  # qpprime_y_zero_transform_bypass_flag
        if bits.read(1):
            _skip_scaling_lists(bits, 12 if chroma == 3 else 8)
        if chroma > 3 or separate_planes or luma_depth > 14 or chroma_depth > 14:
            raise MediaError("a sequence parameter set with an unsupported pixel format")
    width, height = _picture_size(bits, chroma)
    return SpsInfo(profile, constraints, level, chroma, luma_depth, chroma_depth, width, height)


def _picture_size(bits: _Bits, chroma: int) -> tuple[int, int]:
    bits.unsigned()  # log2_max_frame_num_minus4
    order_count_type = bits.unsigned()
    if order_count_type == 0:
        bits.unsigned()
    elif order_count_type == 1:
        bits.read(1)
        bits.signed()
        bits.signed()
        cycle = bits.unsigned()
        if cycle > 255:
            raise MediaError("a sequence parameter set with an impossible order count cycle")
        for _ in range(cycle):
            bits.signed()
    bits.unsigned()  # max_num_ref_frames
    bits.read(1)  # gaps_in_frame_num_value_allowed_flag
    width = (bits.unsigned() + 1) * 16
    map_units = bits.unsigned() + 1
    frames_only = bits.read(1)
    height = map_units * 16 * (2 - frames_only)
    if not frames_only:
        bits.read(1)  # mb_adaptive_frame_field_flag
    bits.read(1)  # direct_8x8_inference_flag
    if bits.read(1):
        unit_x = 2 if chroma in (1, 2) else 1
        unit_y = (2 if chroma == 1 else 1) * (2 - frames_only)
        width -= unit_x * (bits.unsigned() + bits.unsigned())
        height -= unit_y * (bits.unsigned() + bits.unsigned())
    if not (0 < width <= MAX_SIDE_PIXELS and 0 < height <= MAX_SIDE_PIXELS):
        raise MediaError(f"a sequence parameter set with an impossible picture size, {width}x{height}")
    return width, height


def _skip_scaling_lists(bits: _Bits, count: int) -> None:
    for index in range(count):
        if not bits.read(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.signed()) % 256
            last = following or last
