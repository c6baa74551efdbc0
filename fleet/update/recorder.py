"""Asks the recorder over its socket how the camera is: the system decides nothing about an update without it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

import msgspec

from evidence.handover import LINE_BYTES, Answer, Facts, Status, answer_decoder
from evidence.requests import FactsRequest, Request, StatusRequest
from evidence.update_state import Before
from fleet.update.errors import BadUpdate

ANSWER_S: Final = 10.0
LEAST_PERCENT: Final = 50
"""Charge that an update needs, unless the camera is being charged: as the station demands before it offers one."""


def _ask(path: Path, request: Request) -> Answer:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(path))
            connection.sendall(msgspec.json.encode(request) + b"\n")
            with connection.makefile("rb") as lines:
                answer: Answer = answer_decoder.decode(lines.readline(LINE_BYTES))
    except OSError as error:
        raise BadUpdate(f"the recorder does not answer at {path}: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadUpdate(f"the recorder's answer cannot be read: {error}") from error
    return answer


def status_of(path: Path) -> Status:
    """How the camera is now. Raises `BadUpdate`."""
    answer = _ask(path, StatusRequest())
    if not isinstance(answer, Status):
        raise BadUpdate(f"the recorder does not say how the camera is: {answer}"[:300])
    return answer


def self_test_of(path: Path) -> Before | None:
    """The last self-test's verdict and what was not in order; None if there was none since the start.

    Raises `BadUpdate`.
    """
    answer = _ask(path, FactsRequest(about="support"))
    test = answer.facts.get("self_test") if isinstance(answer, Facts) else None
    if not isinstance(test, dict):
        return None
    try:
        rows = test["checks"]
        failed = sorted({row["name"] for row in rows if row["result"] in ("fail", "warn")})
        return msgspec.convert({"self_test": test["verdict"], "failed": failed}, Before)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise BadUpdate(f"the recorder's self-test cannot be read: {error}") from error


def not_now(status: Status, *, state: str) -> str | None:
    """Why the camera may not be touched now; None if it may. Unknown is no. `state` is the one it must be in. Pure."""
    if status.recording is not None or status.state != state or not status.docked:
        return f"it is {status.state.replace('_', ' ')}, not idle in the dock"
    if status.assigned or status.seized:
        return "it is checked out" if status.assigned else "it is in a supervisor's custody"
    if (fault := too_empty(status)) is not None:
        return fault
    if status.offloading is None or status.offloading.files:
        return "evidence waits for its upload"
    return None


def too_empty(status: Status) -> str | None:
    """Why its charge does not allow an update; None if it does. Pure."""
    if status.charging or (status.battery_percent or 0) >= LEAST_PERCENT:
        return None
    return f"its charge is below {LEAST_PERCENT} % and it is not charging"
