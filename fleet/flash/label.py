"""The label of a camera: 62 x 29 mm, serial, board and agency in letters and in a QR code. A PDF page or a PNG each.

The code holds plain text and no address: nobody who points a telephone at a camera is sent anywhere.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evidence import durable
from fleet.errors import BadAuthority

if TYPE_CHECKING:
    from PIL.Image import Image

DPI: Final = 300
SIZE_MM: Final = (62, 29)
_QUIET: Final = 4
"""Modules of white around the code (ISO/IEC 18004)."""


@dataclass(frozen=True)
class Label:
    """What stands on it."""

    serial: str
    board: str
    agency: str

    @property
    def payload(self) -> str:
        """The code's text."""
        return f"firsthand camera\nserial={self.serial}\nboard={self.board}\nagency={self.agency}"


def _px(millimetres: float) -> int:
    return round(millimetres / 25.4 * DPI)


def draw(label: Label) -> Image:
    """Black on white. Raises `BadAuthority` where what draws is not installed."""
    try:
        import segno
        from PIL import Image, ImageDraw, ImageFont
    except ModuleNotFoundError as error:
        raise BadAuthority(
            f"labels need {error.name}: pip install 'firsthand[fleet]', or say --label-printer none"
        ) from error
    width, height = (_px(one) for one in SIZE_MM)
    image = Image.new("1", (width, height), 1)
    pen = ImageDraw.Draw(image)
    modules = [list(row) for row in segno.make(label.payload, error="m", micro=False).matrix]
    side = len(modules) + 2 * _QUIET
    dot = height // side
    begin = (height - dot * len(modules)) // 2
    for y, row in enumerate(modules):
        for x, dark in enumerate(row):
            if dark:
                left, top = begin + x * dot, begin + y * dot
                pen.rectangle((left, top, left + dot - 1, top + dot - 1), fill=0)
    left = begin + dot * (len(modules) + _QUIET)
    right = width - _px(2)
    top = begin
    for text, largest_mm in ((label.serial, 6.0), (label.board, 3.4), (label.agency, 3.4)):
        points = _px(largest_mm)
        while points > 12 and pen.textlength(text, ImageFont.load_default(points)) > right - left:
            points -= 1
        font = ImageFont.load_default(points)
        while len(text) > 1 and pen.textlength(text, font) > right - left:
            text = text[:-2].rstrip() + "…"
        pen.text((left, top), text, font=font, fill=0)
        top += _px(largest_mm * 1.35)
    pen.text((left, height - begin - _px(2.4)), "Firsthand", font=ImageFont.load_default(_px(2.4)), fill=0)
    return image


def check_target(target: Path, count: int) -> None:
    """Whether labels can be written there. Raises `BadAuthority`."""
    if target.suffix not in (".pdf", ".png"):
        raise BadAuthority(f"--label-printer {target}: labels are files that end in .pdf or .png")
    if not target.parent.is_dir():
        raise BadAuthority(f"--label-printer {target}: there is no directory {target.parent}")
    if count:
        draw(Label("CAM-0042", "board", "agency"))  # what is missing is told before any card is erased


def write_labels(labels: Sequence[Label], target: Path) -> list[Path]:
    """One PDF with a page each, or a PNG each (its serial in its name where there are several). Raises OSError."""
    images = [draw(one) for one in labels]
    if target.suffix == ".pdf":
        data = io.BytesIO()
        images[0].save(data, "PDF", resolution=DPI, save_all=True, append_images=images[1:])
        durable.replace(target, data.getvalue(), mode=0o644)
        return [target]
    written = []
    for label, image in zip(labels, images, strict=True):
        data = io.BytesIO()
        image.save(data, "PNG", dpi=(DPI, DPI))
        path = target if len(labels) == 1 else target.with_name(f"{target.stem}-{label.serial}.png")
        durable.replace(path, data.getvalue(), mode=0o644)
        written.append(path)
    return written
