"""The report of a check as a page that a person reads and files: HTML without anything from elsewhere, prints well."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from fleet.camera_check import CheckReport, Row

MEANING: Final = {
    "pass": "This camera is ready for service.",
    "warn": "This camera may be used. Have what is listed below looked at.",
    "block": "Do not hand out this camera. Repair what is listed below, and check it again.",
}
_STYLE: Final = """
body { font: 11pt/1.4 sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #111; background: #fff }
h1 { font-size: 1.5rem } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #bbb }
dl { display: grid; grid-template-columns: max-content auto; gap: .2rem 1rem } dd { margin: 0 }
.verdict { font-size: 1.2rem; font-weight: bold; border: 3px solid; padding: .6rem 1rem; margin: 1rem 0 }
.pass { color: #075e07 } .warn, .note { color: #7a4b00 } .fail, .block { color: #a00000 } .not_present { color: #555 }
@media print { body { margin: 0; max-width: none } tr { break-inside: avoid } }
"""


def wrong(report: CheckReport) -> list[Row]:
    """The rows that somebody must look at."""
    return [row for row in report.rows if row.result in ("fail", "warn")]


def page(report: CheckReport) -> str:
    """The whole page. Pure."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: CheckReport) -> Iterator[str]:
    title = f"Check of camera {escape(report.serial)}"
    yield f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f"<style>{_STYLE}</style></head><body>\n<h1>{title}</h1>"
    yield f'<p class="verdict {report.verdict}">{report.verdict.upper()}: {MEANING[report.verdict]}</p>\n<dl>'
    facts = {
        "checked": f"{report.at[:19].replace('T', ' ')} UTC, by the technician's computer",
        "technician": report.technician,
        "model": report.model,
        "firmware": report.firmware,
        "policy profile": "built-in" if not report.profile_version else f"version {report.profile_version}",
        "battery": "unknown" if report.battery_percent is None else f"{report.battery_percent} %",
        "free on the card": "unknown" if report.free_bytes is None else f"{report.free_bytes / 1e9:.1f} GB",
        "reached by": report.camera,
    }
    yield from (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    yield "</dl>"
    if found := wrong(report):
        yield "<h2>To look at</h2>\n<ul>"
        for row in found:
            yield f"<li><b>{_named(row)}</b>: {escape(row.value)}. {escape(row.advice)}</li>"
        yield "</ul>"
    yield "<h2>Every step</h2>\n<table><tr><th>step</th><th>result</th><th>seen</th><th>wanted</th><th>ms</th></tr>"
    for row in report.rows:
        result = f'<td class="{row.result}">{row.result.replace("_", " ")}</td>'
        seen, wanted = escape(row.value), escape(row.limit)
        yield f"<tr><td>{_named(row)}</td>{result}<td>{seen}</td><td>{wanted}</td><td>{row.duration_ms}</td></tr>"
    yield "</table>\n<p>The camera signed this test into its own log; this is a copy for the files.</p></body></html>"


def _named(row: Row) -> str:
    return escape(row.name.replace("_", " "))
