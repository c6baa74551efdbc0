"""The self-test in a technician's terminal: what was seen, what to do, and an exit code for scripts (R8, R39)."""

from __future__ import annotations

import io
from typing import Any

import pytest

from device.selftest_table import EXIT, coloured, table_lines
from evidence.handover import SelfTestDone


def row(name: str, result: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name, "result": result, "severity": "warn", "value": f"{name} seen", "limit": f"{name} wanted",
        "advice": f"repair {name}", "duration_ms": 12, **changes,
    }  # fmt: skip


def done(verdict: Any, *rows: dict[str, Any]) -> SelfTestDone:
    return SelfTestDone(verdict=verdict, checks=rows)


@pytest.mark.requirement("R8", "R39")
def test_a_row_in_order_is_one_line_and_one_that_is_not_says_what_to_do() -> None:
    lines = table_lines(done("warn", row("sensor", "pass"), row("microphone", "warn"), row("wear", "not_present")))
    text = "\n".join(lines)
    assert "sensor seen" in text
    assert "repair sensor" not in text
    assert "wanted: microphone wanted" in text
    assert "do: repair microphone" in text
    assert "repair wear" not in text, "what this camera need not have needs no advice"
    assert lines[-1].startswith("WARN: this camera may be used")


@pytest.mark.requirement("R9")
def test_a_blocked_camera_is_said_not_to_be_used_and_to_record_all_the_same() -> None:
    text = "\n".join(table_lines(done("block", row("battery", "fail"))))
    assert "do not use this camera" in text
    assert "must not be checked out" in text
    assert "still record" in text
    assert EXIT == {"pass": 0, "warn": 0, "block": 2}


def test_columns_stand_under_each_other_and_long_words_are_wrapped() -> None:
    long = row("storage", "fail", value="many words " * 15, advice="do this and that " * 9)
    lines = table_lines(done("block", row("gps", "note"), long), width=80)
    assert max(map(len, lines)) <= 80
    head = lines[0].index("what was seen")
    assert lines[1][head:] == "gps seen"


def test_colours_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, bright = (table_lines(done("pass", row("gps", "pass")), colour=colour) for colour in (False, True))
    assert "\x1b" not in "".join(plain)
    assert "\x1b[32m" in "".join(bright)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not coloured(io.StringIO())
    assert coloured(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(Terminal())
