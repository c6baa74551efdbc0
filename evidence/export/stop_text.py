"""Why a recording was stopped, as text that an officer's report can quote word for word (R27, policy D.3). Pure.

It says what the camera signed and nothing more: who was signed in, when the stop was asked for and confirmed, which
reason was given and how, and whether a supervisor was consulted. What is absent is said to be absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from evidence.export.happenings import words
from evidence.export.window import RecordingTime, as_clock
from evidence.log_words import load

SUPERVISOR: Final = {
    "consulted": "A supervisor was consulted.",
    "not_possible": "It was not possible to consult a supervisor.",
}
BY_HAND: Final = "record_button"


def stop_text(close_reason: str | None, metadata: Sequence[Mapping[str, Any]], time: RecordingTime | None) -> str:
    """The paragraph for a report."""
    if close_reason is None:
        return "No end of this recording is signed: the camera did not close it."
    if close_reason != BY_HAND:
        return f"This recording was not stopped by the officer. It ended because: {words(close_reason)}."
    opening = next((one for one in metadata if one.get("part") == "opening"), {})
    closing = next((one for one in metadata if one.get("part") == "closing"), {})
    found = closing.get("stop_reason")
    told: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    sentences = [f"{_officer(opening)} stopped this recording{_when(told, time)}."]
    sentences += _reason(told, missing=closing.get("stop_reason_missing") is not False)
    supervisor = told.get("supervisor")
    sentences.append(SUPERVISOR.get(str(supervisor), "Whether a supervisor was consulted is not stated."))
    return " ".join(sentences)


def _officer(opening: Mapping[str, Any]) -> str:
    officer = opening.get("officer")
    if not officer:
        return "The person who wore the camera (nobody was signed in)"
    names = [str(one) for one in (opening.get("officer_name"), opening.get("badge"), officer) if one]
    how = words(opening.get("officer_identified_by", "none"))
    return f"Officer {', '.join(dict.fromkeys(names))} (identified by: {how})"


def _when(told: Mapping[str, Any], time: RecordingTime | None) -> str:
    asked_ns = told.get("asked_ns")
    if not isinstance(asked_ns, int) or time is None:
        return ""
    between = time.utc(asked_ns)
    utc = f", on {between[0][:10]} at {between[0][11:19]} UTC" if between is not None else ""
    return f" at {as_clock(time.seconds(asked_ns))} of the recording{utc}"


def _reason(told: Mapping[str, Any], *, missing: bool) -> list[str]:
    code, spoken = told.get("code"), told.get("spoken") is True
    if code is not None:
        said = [f"Reason given: {load().value(str(code))}."]
        return [*said, "It was also spoken on the recording."] if spoken else said
    if spoken:
        return ["The reason was spoken on the recording, just before its end."]
    if missing:
        return ["No reason was given before the stop; the policy asks for one on the recording and in the report."]
    return []
