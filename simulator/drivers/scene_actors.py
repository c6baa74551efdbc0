"""The things that move in the scene, drawn large with Pillow: patrol car, light bar, walker, tree, street lamp."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw, ImageFilter

from simulator.drivers.sprites import Sprite

_PX_PER_M = 110  # drawings are this fine; the largest they appear in a 640-pixel picture is about the same
_Point = tuple[float, float]
RED = (255, 42, 48)
BLUE = (64, 110, 255)


def patrol_car(*, night: bool) -> Sprite:
    """A patrol car from behind, 2 m wide, with its tail lamps on."""
    image, draw = _sheet(2.4, 1.75)

    def box(x: float, y: float, wide: float, tall: float, fill: tuple[int, ...], radius: float = 0.0) -> None:
        corners = (_px(x), _px(1.75 - y - tall), _px(x + wide), _px(1.75 - y))
        draw.rounded_rectangle(corners, radius=_px(radius), fill=fill)

    dim = 0.4 if night else 1.0
    white, navy, glass = ((round(r * dim), round(g * dim), round(b * dim)) for r, g, b in _PAINT)
    draw.ellipse((_px(0.05), _px(1.6), _px(2.35), _px(1.75)), fill=(0, 0, 0, 150))
    box(0.34, 0.02, 0.28, 0.5, (18, 18, 20), 0.05)
    box(1.78, 0.02, 0.28, 0.5, (18, 18, 20), 0.05)
    roof = [(0.46, 0.98), (0.62, 1.46), (0.75, 1.52), (1.65, 1.52), (1.78, 1.46), (1.94, 0.98)]
    draw.polygon([(_px(x), _px(1.75 - y)) for x, y in roof], fill=white)
    pane = [(0.58, 1.0), (0.70, 1.40), (1.70, 1.40), (1.82, 1.0)]
    draw.polygon([(_px(x), _px(1.75 - y)) for x, y in pane], fill=glass)
    draw.polygon(
        [(_px(x), _px(1.75 - y)) for x, y in [(0.9, 1.0), (1.1, 1.4), (1.3, 1.4), (1.0, 1.0)]], fill=_shine(glass)
    )
    box(0.25, 0.30, 1.90, 0.74, white, 0.12)
    box(0.25, 0.30, 1.90, 0.26, navy, 0.08)
    box(0.25, 0.62, 1.90, 0.05, navy)
    box(0.30, 0.70, 0.36, 0.18, (214, 34, 34), 0.04)
    box(1.74, 0.70, 0.36, 0.18, (214, 34, 34), 0.04)
    box(0.36, 0.74, 0.16, 0.10, (255, 120, 100), 0.03)
    box(1.88, 0.74, 0.16, 0.10, (255, 120, 100), 0.03)
    box(0.98, 0.40, 0.44, 0.14, (222, 222, 214), 0.02)
    box(0.80, 1.52, 0.80, 0.04, (30, 30, 34))
    draw.text((_px(1.2), _px(1.75 - 0.81)), "POLICE", fill=navy, anchor="mm", font_size=_px(0.17))
    box(0.72, 1.56, 0.47, 0.11, (92, 20, 26), 0.03)
    box(1.21, 1.56, 0.47, 0.11, (22, 32, 96), 0.03)
    return Sprite(image, 2.4)


_PAINT = ((222, 224, 230), (26, 36, 78), (40, 50, 74))


def flash(colour: tuple[int, int, int]) -> Sprite:
    """One lit half of the light bar with its glow around it; its foot is the middle."""
    side_m = 2.6
    image, draw = _sheet(side_m, side_m)
    middle = _px(side_m / 2)
    draw.ellipse((middle - _px(0.75), middle - _px(0.5), middle + _px(0.75), middle + _px(0.5)), fill=(*colour, 150))
    image = image.filter(ImageFilter.GaussianBlur(_px(0.26)))
    glow = Image.new("RGBA", image.size, (*colour, 0))
    glow.putalpha(image.getchannel("A"))
    draw = ImageDraw.Draw(glow)
    bar = (middle - _px(0.235), middle - _px(0.055), middle + _px(0.235), middle + _px(0.055))
    draw.rounded_rectangle(bar, _px(0.03), fill=(*colour, 255))
    core = (middle - _px(0.17), middle - _px(0.03), middle + _px(0.17), middle + _px(0.03))
    draw.rounded_rectangle(core, _px(0.02), fill=(255, 236, 240, 255))
    return Sprite(glow, side_m, foot=(0.5, 0.5))


def road_glow(colour: tuple[int, int, int]) -> Sprite:
    """The flash as the road throws it back."""
    image, draw = _sheet(5.0, 0.9)
    draw.ellipse((_px(0.7), _px(0.2), _px(4.3), _px(0.7)), fill=(*colour, 120))
    alpha = image.filter(ImageFilter.GaussianBlur(_px(0.16))).getchannel("A")
    glow = Image.new("RGBA", image.size, (*colour, 0))
    glow.putalpha(alpha)
    return Sprite(glow, 5.0, foot=(0.5, 0.5))


def walker(phase: float, *, night: bool) -> Sprite:
    """A walking person from ahead and aside, 1.8 m tall; `phase` 0..1 is the place in one double step."""
    image, draw = _sheet(1.3, 1.95)
    dim = 0.4 if night else 1.0
    coat, trousers, skin, shoe = (tuple(round(c * dim) for c in colour) for colour in _CLOTHES)

    def at(x: float, y: float) -> _Point:
        return _px(0.65 + x), _px(1.9 - y)

    def limb(points: list[_Point], thick_m: float, fill: tuple[int, ...]) -> None:
        draw.line([at(*point) for point in points], fill=fill, width=_px(thick_m), joint="curve")
        for point in points:
            x, y = at(*point)
            draw.ellipse(
                (x - _px(thick_m / 2), y - _px(thick_m / 2), x + _px(thick_m / 2), y + _px(thick_m / 2)), fill=fill
            )

    swing = math.sin(2 * math.pi * phase)
    bob = 0.02 * math.cos(4 * math.pi * phase)
    x, y = at(0, 0)
    draw.ellipse((x - _px(0.42), y - _px(0.05), x + _px(0.42), y + _px(0.05)), fill=(0, 0, 0, 110))
    hip, shoulder = 0.92 + bob, 1.46 + bob
    for side, forward in ((-1, -swing), (1, swing)):
        lift = max(0.0, math.cos(2 * math.pi * phase) * -side) * 0.13
        foot = (0.30 * forward, 0.06 + lift)
        knee = (0.17 * forward + 0.05, 0.50 + lift / 2)
        limb([(0.0, hip), knee, foot], 0.145, trousers if side > 0 else _darker(trousers))
        limb([foot, (foot[0] + 0.12, foot[1])], 0.09, shoe)
    limb(
        [(-0.02, shoulder - 0.04), (0.14 * swing - 0.06, 1.16 + bob), (0.30 * swing, 0.98 + bob)], 0.105, _darker(coat)
    )
    limb([(0.0, hip - 0.08), (0.0, shoulder - 0.08)], 0.33, coat)
    limb([(0.02, shoulder - 0.04), (-0.14 * swing - 0.04, 1.16 + bob), (-0.28 * swing, 0.98 + bob)], 0.11, _shine(coat))
    limb([(0.0, shoulder), (0.01, shoulder + 0.1)], 0.11, skin)
    x, y = at(0.02, 1.68 + bob)
    draw.ellipse((x - _px(0.11), y - _px(0.135), x + _px(0.11), y + _px(0.135)), fill=skin)
    draw.pieslice((x - _px(0.125), y - _px(0.16), x + _px(0.115), y + _px(0.10)), 150, 350, fill=_darker(trousers))
    return Sprite(image, 1.3)


_CLOTHES = ((196, 92, 48), (46, 50, 68), (226, 178, 148), (30, 28, 28))


def tree(*, night: bool) -> Sprite:
    """A street tree, 6.5 m tall."""
    image, draw = _sheet(4.8, 6.6)
    dim = 0.3 if night else 1.0
    trunk = tuple(round(c * dim) for c in (58, 44, 44))
    draw.polygon(
        [(_px(2.25), _px(6.6)), (_px(2.33), _px(3.2)), (_px(2.48), _px(3.2)), (_px(2.58), _px(6.6))], fill=trunk
    )
    for x, y, radius, shade in _CROWN:
        leaf = tuple(round(c * shade * dim) for c in (74, 84, 66))
        draw.ellipse((_px(x - radius), _px(y - radius * 0.86), _px(x + radius), _px(y + radius * 0.86)), fill=leaf)
    return Sprite(image, 4.8)


_CROWN = [
    (1.5, 3.3, 1.2, 0.6), (3.3, 3.3, 1.2, 0.6), (2.4, 3.6, 1.2, 0.55), (1.2, 2.4, 1.0, 0.7), (3.6, 2.4, 1.0, 0.75),
    (2.4, 2.5, 1.5, 0.72), (1.7, 1.6, 1.1, 0.85), (3.0, 1.5, 1.1, 0.95), (2.4, 1.1, 0.95, 1.0), (3.1, 2.3, 0.8, 1.0),
    (1.9, 2.2, 0.7, 0.92), (2.8, 3.1, 0.6, 0.85),
]  # fmt: skip


def street_lamp(side: int, *, night: bool) -> Sprite:
    """A lamp 6.5 m tall whose arm reaches over the road; `side` is -1 left of the road, 1 right of it."""
    image, draw = _sheet(4.0, 7.2)
    pole = (34, 34, 44) if night else (58, 56, 68)
    inward = -side
    foot = 2.0
    lamp_x = foot + inward * 1.15
    draw.line([(_px(foot), _px(7.2)), (_px(foot), _px(1.0))], fill=pole, width=_px(0.13))
    draw.line([(_px(foot), _px(1.05)), (_px(lamp_x), _px(0.75))], fill=pole, width=_px(0.08))
    halo = Image.new("L", image.size, 0)
    ImageDraw.Draw(halo).ellipse((_px(lamp_x - 0.5), _px(0.3), _px(lamp_x + 0.5), _px(1.3)), fill=170)
    glow = Image.new("RGBA", image.size, (255, 214, 140, 0))
    glow.putalpha(halo.filter(ImageFilter.GaussianBlur(_px(0.2))))
    image = Image.alpha_composite(image, glow)
    head = (_px(lamp_x - 0.26), _px(0.72), _px(lamp_x + 0.26), _px(0.88))
    ImageDraw.Draw(image).rounded_rectangle(head, _px(0.06), fill=(255, 240, 200))
    return Sprite(image, 4.0)


def _sheet(width_m: float, height_m: float) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGBA", (_px(width_m), _px(height_m)), (0, 0, 0, 0))
    return image, ImageDraw.Draw(image)


def _px(metres: float) -> int:
    return round(metres * _PX_PER_M)


def _darker(colour: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(round(channel * 0.7) for channel in colour)


def _shine(colour: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(min(255, round(channel * 1.15 + 8)) for channel in colour)
