"""What who inspects is asked for, in the terminal, while the extended self-test runs (R37)."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Final, TextIO

from device.client import CannotReach, follow
from evidence.handover import Answer, Notice

WORDS: Final = {
    "press_line": "press or switch: {}",
    "look_at": "look, listen or feel: {}",
    "test_clip": "say name and badge now",
}


def prompt_line(notice: Answer) -> str | None:
    """What a notice asks of a person; None if it asks for nothing. Pure."""
    if not isinstance(notice, Notice) or notice.event not in WORDS:
        return None
    if notice.event == "test_clip" and notice.word != "say_name_and_badge":
        return None
    return WORDS[notice.event].format(notice.word)


def show_prompts(socket: Path, out: TextIO = sys.stderr) -> None:
    """Print them as they come, beside the request that waits for its answer. The thread ends with the program."""

    def run() -> None:
        try:
            for notice in follow(socket):
                line = prompt_line(notice)
                if line is not None:
                    print(line, file=out, flush=True)
        except CannotReach:
            return  # the request itself says it

    threading.Thread(target=run, name="prompts", daemon=True).start()
