"""The daemon's answers as a person reads them in a terminal; with `--json` as they are."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from device.selftest_table import EXIT, coloured, table_lines
from evidence.handover import Answer, Done, Facts, Notice, Refused, SelfTestDone, Status
from evidence.requests import Offloading


def show(answer: Answer, *, as_json: bool) -> int:
    """Print one answer; the exit code: 0 done, 1 refused, 2 a self-test that blocks the camera."""
    if isinstance(answer, Refused):
        print(f"firsthand-device: {answer.error}", file=sys.stderr)
        return 1
    if as_json:
        data = msgspec.json.encode(answer)
        print((data if isinstance(answer, Notice | Done) else msgspec.json.format(data)).decode(), flush=True)
    else:
        print("\n".join(lines_of(answer)), flush=True)
    return EXIT[answer.verdict] if isinstance(answer, SelfTestDone) else 0


def lines_of(answer: Answer) -> list[str]:
    """An answer in lines. Pure."""
    if isinstance(answer, Status):
        return status_lines(answer)
    if isinstance(answer, SelfTestDone):
        return table_lines(answer, colour=coloured(sys.stdout), width=shutil.get_terminal_size((100, 24)).columns)
    if isinstance(answer, Facts):
        from device.queue_page import queue_lines
        from device.usage_page import usage_lines

        if answer.about == "queue":
            return queue_lines(answer.facts)
        return usage_lines(answer.facts) if answer.about == "usage" else list(fact_lines(answer.facts))
    if isinstance(answer, Notice):
        return [notice_line(answer)]
    if isinstance(answer, Done):
        return ["done"]
    return [msgspec.json.encode(answer).decode()]


def status_lines(status: Status) -> list[str]:
    """The camera's state for a technician."""
    battery = "unknown" if status.battery_percent is None else f"{status.battery_percent} %"
    expired = f", expired: {status.self_test_expired}" if status.self_test_expired else ""
    lines = [
        f"camera     {status.serial}  {status.model}, firmware {status.firmware}",
        f"state      {status.state}{' (docked)' if status.docked else ''}{', degraded' if status.degraded else ''}",
        f"recording  {status.recording or 'nothing'}",
        f"self-test  {status.self_test or 'not done'}{expired}",
        f"battery    {battery}",
    ]
    if status.do_not_use:
        lines.append(f"DO NOT USE {', '.join(status.do_not_use)}")
    if status.overrides:
        lines.append(f"overridden {', '.join(status.overrides)}, by a supervisor for this shift")
    if status.free_bytes is not None:
        left = status.storage_minutes_left
        forecast = f", {left / 60:.1f} h of recording" if left is not None else ""
        lines.append(f"storage    {status.free_bytes // 2**20} MiB free{forecast}")
    if status.offloading is not None:
        lines.append(f"offload    {offload_line(status.offloading)}")
    if status.buffered_s is not None:
        lines.append(f"pre-event  {status.buffered_s:.1f} s in the ring")
    custody = "  SEIZED: in custody, nothing is deleted" if status.seized else ""
    lines.append(f"officer    {'signed in' if status.assigned else 'unassigned'}{custody}")
    if status.held:
        lines.append(f"on hold    {status.held} recording{'s' if status.held != 1 else ''}")
    if status.proof_missing:
        files = f"{status.proof_missing} file{'s' if status.proof_missing != 1 else ''}"
        lines.append(f"unproven   {files} with a receipt stay until the vault's holder has proven that they open")
    return [*lines, f"up         {status.uptime_s} s"]


def offload_line(now: Offloading) -> str:
    """How far the offload is, in words. Pure."""
    if not now.files:
        return "nothing waits"
    told = [f"{now.files} file{'s' if now.files != 1 else ''}", f"{_amount(now.bytes)} left"]
    if now.minutes_left is not None:
        told.append(f"about {now.minutes_left} min over {now.over}")
    elif now.current is not None:
        told.append(f"{now.current} over {now.over}")
    if now.oldest_s >= 3600:
        told.append(f"the oldest waits for {now.oldest_s / 3600:.0f} h")
    if now.trouble is not None:
        told.append(now.trouble)
    return ", ".join(told)


def _amount(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.1f} MB"


def notice_line(notice: Notice) -> str:
    """One thing that happened, on one line."""
    told = [f"{notice.mono_ns / 1e9:12.3f}", f"{notice.event:<20}", notice.word or "", notice.recording or ""]
    return " ".join([*told, "" if notice.number is None else f"frame {notice.number}"]).rstrip()


def fact_lines(facts: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """An account of the recorder, key by key. Facts that are lists stand one a line."""
    for key, value in facts.items():
        name, value = f"{indent}{_titled(key)}", _with_unit(key, value)
        if isinstance(value, Mapping) and value:
            yield f"{name}:"
            yield from fact_lines(value, indent + "  ")
        elif isinstance(value, list | tuple) and value:
            yield f"{name}:"
            for one in value:
                yield f"{indent}  - {_plain(one)}"
        else:
            yield f"{name:<24} {_plain(value)}"


_UNITS: Final[tuple[tuple[str, Callable[[float], str]], ...]] = (
    ("_bytes", lambda value: f"{value / 2**30:.1f} GiB" if value >= 2**30 else f"{value / 2**20:.1f} MiB"),
    ("_per_s", lambda value: f"{value / 1e6:.1f} Mbit/s"),
    ("_minutes_left", lambda value: f"{value:.0f} min"),
    ("_percent", lambda value: f"{value} %"),
    ("_ua", lambda value: f"{value / 1000:.0f} mA"),
    ("_mc", lambda value: f"{value / 1000:.0f} °C"),
    ("_dc", lambda value: f"{value / 10:.0f} °C"),
    ("_s", lambda value: f"{value / 3600:.1f} h" if value >= 3600 else f"{value:.0f} s"),
)
"""How a number is shown whose key names its unit."""


def _with_unit(key: str, value: Any) -> Any:
    if isinstance(value, Mapping) and key.endswith("_mc"):
        return {zone: _with_unit("_mc", one) for zone, one in value.items()}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return next((shown(value) for unit, shown in _UNITS if f"_{key}".endswith(unit)), value)


def _titled(key: str) -> str:
    """The key in words, without its unit."""
    for unit in ("_bytes", "_percent", "_ua", "_mc", "_dc", "_per_s", "_s"):
        key = key.removesuffix(unit)
    return key.replace("_", " ")


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items() if one is not None)
    if value is None or value in ((), [], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
