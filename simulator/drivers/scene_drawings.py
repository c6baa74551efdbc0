"""What stands in the scene, drawn with Pillow once at start: the street's background, and things that move in it."""

from __future__ import annotations

import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from simulator.drivers.scene_view import View

Colour = tuple[int, int, int]
_OVER = 3  # the background is drawn three times larger and scaled down: smooth edges

DUSK_SKY: list[tuple[float, Colour]] = [
    (0.0, (30, 42, 86)),
    (0.35, (74, 76, 128)),
    (0.65, (164, 112, 134)),
    (0.85, (236, 154, 108)),
    (1.0, (255, 206, 138)),
]
NIGHT_SKY: list[tuple[float, Colour]] = [(0.0, (5, 7, 18)), (0.7, (12, 16, 36)), (1.0, (34, 34, 52))]


def background(view: View, seed: int, *, night: bool) -> Image.Image:
    """Sky, town on the horizon, verges and the empty road, in the picture's size."""
    chance = random.Random(seed)
    width, height = view.width * _OVER, view.height * _OVER
    horizon = round(view.horizon_px * _OVER)
    image = Image.fromarray(_gradient(width, height, horizon, NIGHT_SKY if night else DUSK_SKY))
    if night:
        _stars(image, horizon, chance)
    else:
        image = _glow(image, horizon)
        image = _clouds(image, horizon, chance)
    _hills(image, horizon, chance, night=night)
    _town(image, horizon, chance, night=night)
    _ground(image, view, night=night)
    return image.resize((view.width, view.height), Image.Resampling.LANCZOS)


def _gradient(
    width: int, height: int, horizon: int, stops: list[tuple[float, Colour]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    place = np.clip(np.arange(height) / horizon, 0, 1)
    channels = [np.interp(place, [at for at, _ in stops], [colour[i] for _, colour in stops]) for i in range(3)]
    column = np.stack(channels, axis=1).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(column[:, None, :], (height, width, 3)))


def _glow(image: Image.Image, horizon: int) -> Image.Image:
    """The place where the sun went down, right of the road's end."""
    width, height = image.size
    mask = Image.new("L", (width // 8, height // 8), 0)
    x, y, radius = width * 0.66 / 8, horizon / 8, horizon * 0.5 / 8
    ImageDraw.Draw(mask).ellipse((x - radius * 1.8, y - radius * 0.7, x + radius * 1.8, y + radius * 0.7), fill=170)
    mask = mask.filter(ImageFilter.GaussianBlur(radius * 0.5)).resize((width, height), Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", image.size, (255, 226, 164)), image, mask)


def _clouds(image: Image.Image, horizon: int, chance: random.Random) -> Image.Image:
    width, height = image.size
    mask = Image.new("L", (width // 4, height // 4), 0)
    draw = ImageDraw.Draw(mask)
    for _ in range(9):
        x, y = chance.uniform(0, width / 4), chance.uniform(0.15, 0.8) * horizon / 4
        long, thick = chance.uniform(0.05, 0.16) * width / 4, chance.uniform(0.008, 0.02) * horizon / 4
        for shift in (-0.5, 0.0, 0.45):
            middle = x + shift * long
            draw.ellipse((middle - long, y - thick * 1.6, middle + long, y + thick * 1.6), fill=chance.randint(70, 130))
            y += thick
    mask = mask.filter(ImageFilter.GaussianBlur(width / 4 / 140)).resize((width, height), Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", image.size, (232, 142, 128)), image, mask)


def _stars(image: Image.Image, horizon: int, chance: random.Random) -> None:
    draw = ImageDraw.Draw(image)
    for _ in range(70):
        x, y, level = chance.uniform(0, image.width), chance.uniform(0, horizon * 0.8), chance.randint(60, 170)
        draw.ellipse((x, y, x + 2.5, y + 2.5), fill=(level, level, level))


def _hills(image: Image.Image, horizon: int, chance: random.Random, *, night: bool) -> None:
    draw = ImageDraw.Draw(image)
    phase = chance.uniform(0, 6)
    colour = (14, 16, 26) if night else (112, 86, 116)
    steps = [i / 60 for i in range(61)]
    tops = [0.10 + 0.035 * math.sin(7 * s + phase) + 0.02 * math.sin(17 * s + 2 * phase) for s in steps]
    line = [(s * image.width, horizon * (1 - top)) for s, top in zip(steps, tops, strict=True)]
    draw.polygon([(0, horizon), *line, (image.width, horizon)], fill=colour)


def _town(image: Image.Image, horizon: int, chance: random.Random, *, night: bool) -> None:
    """Houses far ahead: higher towards the sides, some windows lit, the lower part in haze."""
    draw = ImageDraw.Draw(image)
    width = image.width
    for layer, (low, high, body) in enumerate(
        [(0.14, 0.30, (90, 70, 100)), (0.10, 0.24, (62, 52, 80)), (0.05, 0.13, (44, 40, 60))]
    ):
        colour = tuple(channel // 4 for channel in body) if night else body
        x = chance.uniform(-0.03, 0) * width
        while x < width:
            wide = chance.uniform(0.035, 0.085) * width
            aside = abs((x + wide / 2) / width - 0.5) * 2
            tall = horizon * chance.uniform(low, high) * (0.35 + 1.05 * aside)
            draw.rectangle((x, horizon - tall, x + wide, horizon), fill=colour)
            if layer and chance.random() < 0.35:  # a roof
                draw.polygon(
                    [(x, horizon - tall), (x + wide / 2, horizon - tall * 1.25), (x + wide, horizon - tall)],
                    fill=colour,
                )
            if layer:
                _windows(draw, (x, horizon - tall, wide, tall), width / 190, chance)
            x += wide * chance.uniform(1.0, 1.25)


def _windows(
    draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], pitch: float, chance: random.Random
) -> None:
    x, y, wide, tall = box
    for row in range(int((tall - pitch) / (pitch * 1.7))):
        for column in range(int((wide - pitch) / (pitch * 1.5))):
            if chance.random() < 0.33:
                left, top = x + pitch * (0.6 + 1.5 * column), y + pitch * (0.7 + 1.7 * row)
                warm = chance.choice([(255, 208, 128), (250, 190, 104), (236, 222, 178)])
                draw.rectangle((left, top, left + pitch * 0.7, top + pitch * 0.9), fill=warm)


def _ground(image: Image.Image, view: View, *, night: bool) -> None:
    """Verges, pavements, kerbs, the road with its edge lines; darker towards us, our headlamps on it at night."""
    draw = ImageDraw.Draw(image)
    near, far = 1.5, 400.0
    dim = 0.3 if night else 1.0

    def band(left_m: float, right_m: float, colour: Colour) -> None:
        corners = [view.project(x, 0, z) for x, z in ((left_m, far), (right_m, far), (right_m, near), (left_m, near))]
        shade = tuple(round(channel * dim) for channel in colour)
        draw.polygon([(x * _OVER, y * _OVER) for x, y in corners], fill=shade)

    draw.rectangle(
        (0, view.horizon_px * _OVER, image.width, image.height), fill=tuple(round(c * dim) for c in (52, 62, 56))
    )
    band(-8.6, -6.0, (92, 88, 96))
    band(-6.0, -5.75, (128, 122, 126))
    band(2.45, 5.1, (98, 93, 100))
    band(2.2, 2.45, (132, 126, 130))
    band(-5.75, 2.2, (66, 65, 74))
    band(-5.45, -5.32, (188, 186, 180))
    band(1.82, 1.95, (188, 186, 180))
    shade = np.asarray(image, dtype=np.float64)[round(view.horizon_px * _OVER) :].copy()
    depth = np.linspace(0, 1, shade.shape[0])[:, None, None]
    haze = np.array((52, 52, 66) if night else (206, 150, 128), dtype=np.float64)
    weight = 0.75 * np.exp(-depth * 11)
    shade = (shade * (1 - weight) + haze * weight) * (1.06 - 0.34 * depth)
    if night:
        across = np.linspace(-1, 1, shade.shape[1])[None, :, None]
        shade += 60 * np.exp(-((across / (0.25 + 0.5 * depth)) ** 2)) * np.exp(-((depth - 0.45) ** 2) / 0.09)
    grain = np.random.default_rng(7).normal(0, 2.0, shade.shape[:2])[..., None]
    lower = Image.fromarray(np.clip(shade + grain, 0, 255).astype(np.uint8))
    image.paste(lower, (0, round(view.horizon_px * _OVER)))
