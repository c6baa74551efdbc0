"""The page's templates: Jinja2, everything escaped, an unknown name is an error."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dock.station.page.assets import Assets
from evidence.statements import moment, moment_ns
from hal import program_time

_DIRECTORY: Final = Path(__file__).resolve().parent / "templates"
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def build_templates(assets: Assets, **everywhere: Any) -> Environment:
    """All templates; `everywhere` are names that each of them knows."""
    environment = Environment(
        loader=FileSystemLoader(_DIRECTORY),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(asset=assets.url, **everywhere)
    environment.filters.update(bytes=human_bytes, when=when, when_s=when_s, plain=plain, span=span)
    return environment


def human_bytes(count: int | None) -> str:
    """Bytes as people read them, in powers of ten: 1.2 GB."""
    if count is None:
        return "–"
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if value >= 10 or unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def when(moment: str | None) -> Markup:
    """A `Moment` as a <time> in the station's own zone; the exact UTC stands in the title."""
    if moment is None:
        return Markup("–")
    utc = dt.datetime.fromtimestamp(moment_ns(moment) // 10**9, dt.UTC)
    local = utc.astimezone()
    today = program_time.utc_now().astimezone().date()
    text = f"{local:%H:%M}" if local.date() == today else f"{local.day} {local:%b %Y, %H:%M}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment, f"{utc:%Y-%m-%d %H:%M:%S} UTC", text)


def when_s(seconds: int) -> Markup:
    """Seconds since 1970 as `when` shows them."""
    return when(moment(seconds * 10**9))


def plain(word: str) -> str:
    """A word of the programs as people write it: `record_button` is "record button"."""
    return word.replace("_", " ")


def span(seconds: int | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return "–"
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} days"
