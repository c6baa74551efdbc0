"""Every function that takes bytes apart has a fuzzer, or a written reason why not; and each decoder is caught whole."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "fuzz"))
from readers import excused, readers, sources

FUZZ = Path(__file__).parents[1] / "fuzz"


def entered_by_the_corpus() -> set[str]:
    """In a process of its own: what another test has asked before is remembered, and would not be entered again."""
    program = "from readers import entered_by; from targets import TARGETS; print(*entered_by(TARGETS), sep='\\n')"
    place = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FUZZ), str(FUZZ.parents[1])])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], env=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stdout.split())


def test_every_reader_has_a_fuzz_target_or_a_reason_why_not() -> None:
    found, excuses = readers(), excused()
    entered = entered_by_the_corpus() & found
    missing = found - entered - excuses.keys()
    assert not missing, f"give these a target in tests/fuzz/of_*.py, or a reason in unfuzzed.toml: {sorted(missing)}"
    assert not excuses.keys() - found, f"no readers any more: {sorted(excuses.keys() - found)}"
    assert not excuses.keys() & entered, f"these have a target by now: {sorted(excuses.keys() & entered)}"
    assert all(len(why) > 30 for why in excuses.values())


def test_the_list_of_readers_is_not_blind() -> None:
    found = readers()
    assert {
        "device.control:ControlServer._serve",
        "evidence.cms:parse_signed",
        "fleet.flash.bmap:read_bmap",
        "hal.nmea:_readable",
        "simulator.scenario:read_toml",
    } <= found
    assert len(found) > 150


def test_whoever_catches_a_decoder_s_refusal_catches_all_that_bad_bytes_do_to_it() -> None:
    """msgspec tells bytes that are no UTF-8, and nesting without end, by two other errors of Python's own."""
    half = []
    for module, tree in sources():
        for tried in (node for node in ast.walk(tree) if isinstance(node, ast.Try)):
            caught = " ".join(ast.unparse(one.type) for one in tried.handlers if one.type is not None)
            body = "; ".join(ast.unparse(one) for one in tried.body)
            if ("msgspec.DecodeError" in caught or "msgspec.MsgspecError" in caught) and "decode(" in body:
                text = "UnicodeDecodeError" in caught or "ValueError" in caught.replace("TOMLDecodeError", "")
                if not text or "RecursionError" not in caught:
                    half.append(f"{module}:{tried.lineno} catches {caught}")
    assert not half, half
