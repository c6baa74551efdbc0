"""The script of a scenario: one plain sentence a line, read into steps. Pure.

Every mistake is collected with its line, so that a person mends a file in one go. docs/simulator/scenarios.md explains
the language; its words stand in `simulator.words`, `simulator.plain_words`, `simulator.expected`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from simulator.expected import expected
from simulator.fault_words import ended_fault, fault
from simulator.plain_words import CLOCK, DURATION, clock, did_you_mean, plain, plain_deed, seconds
from simulator.steps import Mistake, Step
from simulator.words import STATES, Deed, UnknownWord

MOST_LINES: Final = 2000
MOST_STEPS: Final = 5000
LONGEST_LINE: Final = 400
_NOTHING: Final = Deed("nothing")
_AT_END: Final = re.compile(r"(?:at|in) the end,? ?(.*)", re.IGNORECASE)
_AT: Final = re.compile(rf"at (?:the )?(start|beginning|{CLOCK}),? ?(.*)", re.IGNORECASE)
_AFTER: Final = re.compile(rf"(?:then,? )?(?:after|wait) (?:for )?({DURATION}),? ?(.*)", re.IGNORECASE)
_LATER: Final = re.compile(rf"({DURATION}) later,? ?(.*)", re.IGNORECASE)
_WHEN: Final = re.compile(r"(?:when|once|as soon as) (.+)", re.IGNORECASE)
_REPEAT: Final = re.compile(r"repeat (\d{1,3}) times?:?", re.IGNORECASE)
_WORDS: Final = re.compile(r"(expect|say|fault|end fault|then)\b:? ?(.*)", re.IGNORECASE)
WHEN: Final[dict[str, str]] = {
    **{state: state for state in STATES},
    "the self-test is done": "self-test done", "self-test is done": "self-test done",
    "the ring is full": "ring full", "ring is full": "ring full",
    "the camera records": "recording", "the camera is recording": "recording", "it records": "recording",
    "the camera has stopped": "stopped", "recording stopped": "stopped", "it has stopped": "stopped",
    "the recording has stopped": "stopped", "not recording": "stopped",
    "the camera is docked": "docked", "in the dock": "docked", "out of the dock": "undocked",
    "everything is offloaded": "offloaded", "all is offloaded": "offloaded",
}  # fmt: skip
"""Ways to say a state that a line waits for."""
_LONGEST_FIRST: Final = sorted(WHEN, key=len, reverse=True)
_BEGINNINGS: Final = ("at", "after", "when", "expect", "say", "fault", "end", "wait", "repeat", "press", "hold")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str


@dataclass
class _Reader:
    """What was read so far."""

    steps: list[Step] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    at_s: float = 0.0
    """The last time that was named with `at`, and what has to pass since then at least."""
    repeated: bool = False

    def read(self, line: _Line) -> None:
        """One sentence."""
        try:
            self._sentence(line)
        except UnknownWord as error:
            self.mistakes.append(Mistake(line.number, str(error)))

    def _sentence(self, line: _Line) -> None:
        step = Step(None, 0.0, _NOTHING, line.text, "", line.number, since_deed=True)
        rest, timed = line.text.strip(), False
        found = _AT_END.fullmatch(rest)
        if found is not None:
            step, rest = replace(step, at_end=True), found[1]
            if not re.match(r"expect\b", rest, re.IGNORECASE):
                raise UnknownWord('"at the end" is for what must be true then; say: at the end expect evidence valid')
        while found is None:
            before = rest
            step, rest, more = self._when(step, rest)
            timed |= more
            if rest == before or not more:
                break
        self._add(step, rest, timed=timed)

    def _when(self, step: Step, text: str) -> tuple[Step, str, bool]:
        """The time or the state at the beginning of a sentence: (step, the rest, was there one)."""
        if (found := _AT.fullmatch(text)) is not None:
            at_s = 0.0 if found[1].lower() in ("start", "beginning") else clock(found[1])
            if self.repeated:
                raise UnknownWord('"at" names one time of the scenario and cannot be repeated; say "after 3 s"')
            if at_s < self.at_s:
                raise UnknownWord(
                    f"{found[1]} lies before what comes earlier in the script ({spoken(self.at_s)} at the earliest)"
                )
            self.at_s = at_s
            return replace(step, at_s=at_s), found[2], True
        if (found := _AFTER.fullmatch(text) or _LATER.fullmatch(text)) is not None:
            wait_s = seconds(found[1])
            self.at_s = round(self.at_s + wait_s, 3)
            return replace(step, wait_s=round(step.wait_s + wait_s, 3)), found[2], True
        if (found := _WHEN.fullmatch(text)) is not None:
            state, rest = _state(found[1])
            return replace(step, state=state), rest, True
        return step, text, False

    def _add(self, step: Step, text: str, *, timed: bool) -> None:
        """What the sentence says, once its time is known."""
        said = _WORDS.fullmatch(text)
        word, rest = (said[1].lower(), said[2].strip()) if said is not None else ("", text)
        if word == "then":
            return self._add(step, rest, timed=timed)
        if word == "expect":
            return self._expect(step, rest, timed=timed)
        if word == "say":
            if not rest:
                raise UnknownWord("say what? for example: say The officer clips the camera on.")
            self.steps.append(replace(step, say=rest.strip('"')[:300]))
        elif word == "fault":
            self._do(step, fault(rest), text)
        elif word == "end fault":
            self._do(step, ended_fault(rest), text)
        elif text:
            self._do(step, self._deed(text, timed=timed), text)
        else:
            self.steps.append(step)
        return None

    def _deed(self, text: str, *, timed: bool) -> Deed:
        try:
            return plain_deed(text)
        except UnknownWord as error:
            near = difflib.get_close_matches(plain(text).partition(" ")[0], _BEGINNINGS, n=1, cutoff=0.75)
            if timed or "did you mean" in str(error) or not near:
                raise
            raise UnknownWord(f"{text!r} is not known; did you mean a line that begins with {near[0]!r}?") from error

    def _do(self, step: Step, deed: Deed, text: str) -> None:
        self.steps.append(replace(step, deed=deed, text=text))

    def _expect(self, step: Step, text: str, *, timed: bool) -> None:
        one = replace(expected(text), line=step.line)
        last = self.steps[-1] if self.steps else None
        if last is not None and not timed and last.at_end == step.at_end:
            self.steps[-1] = replace(last, expect=(*last.expect, one))
        else:
            self.steps.append(replace(step, expect=(one,)))


def _state(text: str) -> tuple[str, str]:
    """(the state of `STATES`, the rest of the sentence) after "when". Raises `UnknownWord`."""
    low = text.lower()
    for words in _LONGEST_FIRST:
        for spelt in (words, words.replace("self-test", "self test")):
            if low.startswith(spelt) and not low[len(spelt) :][:1].isalnum():
                return WHEN[words], re.sub(r"^(,| then\b|,? and then\b)* *", "", text[len(spelt) :])
    first = re.split(r",| then ", text)[0].strip()
    raise UnknownWord(did_you_mean(first.lower(), WHEN))


def spoken(at_s: float) -> str:
    """A time since the beginning as a script writes it."""
    minutes, rest = divmod(round(at_s, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{rest:06.3f}".rstrip("0").rstrip(".") if rest % 1 else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def read_script(text: str, first_line: int = 1) -> tuple[tuple[Step, ...], tuple[Mistake, ...]]:
    """All steps of a script, and all that is wrong with it. `first_line` is that of the script in its file."""
    lines = [_Line(first_line + index, _bare(line)) for index, line in enumerate(text.split("\n"))]
    if len(lines) > MOST_LINES:
        return (), (Mistake(first_line, f"a script has {MOST_LINES} lines at most, this one {len(lines)}"),)
    reader = _Reader()
    for line, repeated in _unrolled([line for line in lines if line.text], reader.mistakes):
        if len(reader.steps) >= MOST_STEPS:
            reader.mistakes.append(Mistake(line.number, f"with what is repeated, more than {MOST_STEPS} steps"))
            break
        reader.repeated = repeated
        reader.read(line)
    return tuple(reader.steps), tuple(dict.fromkeys(reader.mistakes))


def _bare(line: str) -> str:
    """Without the comment, which begins with a # at the beginning or after a space. A number (#4711) is none."""
    return re.sub(r"^\s*#.*$|\s#(?!\d).*$", "", line).strip()


def _unrolled(lines: list[_Line], mistakes: list[Mistake]) -> Iterator[tuple[_Line, bool]]:
    """Lines in the order in which they are played: (line, is it repeated)."""
    block: list[_Line] | None = None
    times, opened = 0, 0
    for line in lines:
        again = _REPEAT.fullmatch(line.text)
        if len(line.text) > LONGEST_LINE:
            mistakes.append(Mistake(line.number, f"a line has {LONGEST_LINE} characters at most"))
        elif again is not None and block is not None:
            mistakes.append(Mistake(line.number, "a repeat cannot stand in another one"))
        elif again is not None:
            block, times, opened = [], int(again[1]), line.number
        elif plain(line.text) in ("end repeat", "end"):
            if block is None:
                mistakes.append(Mistake(line.number, 'there is no "repeat 3 times" before this end'))
            yield from ((one, True) for _ in range(times) for one in block or ())
            block = None
        elif block is not None:
            block.append(line)
        else:
            yield line, False
    if block is not None:
        mistakes.append(Mistake(opened, 'say "end repeat" behind what is repeated'))
