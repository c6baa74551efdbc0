"""Power cuts during a recorder's day: fragments, log, state, and how many seconds of pictures each cut costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from acknowledgements import Expected, Notes
from card_judge import CardJudge
from cutting import Cut, Look, Seen, Tally, cut_everywhere, cut_over_time, lost_seconds
from recorded_card import RecordedCard, work_directory
from recorder_run import Without, camera_on, record
from started_again import StartedAgain

from evidence import cms
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import Open, Sealed, decode
from fleet.ca import create_agency


@dataclass(frozen=True, slots=True)
class Taken:
    """One recording as the camera made it, from what it meant to write."""

    name: str
    opened_ns: int
    """When its `open` was signed: the trigger."""
    ended_ns: int
    """The end of its last picture."""


def taken(notes: Notes) -> list[Taken]:
    """All recordings of a run, in order."""
    names = sorted({one.path for one in notes.all if one.operation == "append" and one.path.startswith("spool/")})
    found = []
    for name in names:
        opened, ended = None, 0
        for item in Splitter().feed(notes.meant(name)):
            if isinstance(item, StatementBytes):
                statement = decode(cms.parse_signed(item.data).payload)
                if isinstance(statement, Open) and statement.stream == "recording":
                    opened = statement
                elif isinstance(statement, Sealed) and statement.media is not None:
                    ended = statement.media.start_ns + statement.media.duration_ns
        if opened is not None and ended:
            found.append(Taken(Path(name).name, opened.mono_ns, ended))
    return found


def looker(judge: CardJudge, notes: Notes, next_start: StartedAgain) -> Look:
    """Looks at cards of one run."""
    recordings = taken(notes)

    def look(card: Path, cut: Cut, _: Expected) -> Seen:
        wrong, files = judge.judge(card)
        wrong += next_start.look(card)
        lost = 0.0
        held = {one.name: one for one in files}
        for recording in recordings:
            if recording.opened_ns > cut.at_ns:
                continue
            file = held.get(recording.name)
            durable = file.media[-1].start_ns + file.media[-1].duration_ns if file and file.media else None
            lost = max(lost, lost_seconds(cut.at_ns, recording.opened_ns, recording.ended_ns, durable))
        return Seen(tuple(wrong), lost)

    return look


def run(
    *,
    cuts: int,
    seed: int,
    seconds: int = 24,
    without: Without | None = None,
    options: str = "",
    name: str = "recorder",
    over_time: bool = False,
    starts: int = 0,
) -> Tally:
    """Record for so long on a card of its own, then cut, at points of its log or evenly by the clock; nothing stays.

    After `starts` of the cuts the daemon is started on a copy of the card.
    """
    with work_directory() as directory:
        base = Path(directory)
        pki = base / "pki"
        create_agency(pki)
        with RecordedCard(base, options=options) as card:
            first = card.position()
            camera = camera_on(card, pki, without)
            record(camera, seconds)
        notes = Notes(base / "notes")
        judge = CardJudge(pki, notes, base / "work")
        next_start = StartedAgain(pki, base / "work", max(1, cuts // (starts + 1)), starts)
        look = looker(judge, notes, next_start)
        if over_time:
            recordings = taken(notes)
            begun, ended = recordings[0].opened_ns, recordings[-1].ended_ns
            tally = cut_over_time(name, card, begun, ended, look, cuts=cuts, seed=seed)
        else:
            tally = cut_everywhere(name, card, first, look, cuts=cuts, seed=seed)
        tally.facts |= {"files_judged": judge.judged, "frames_played": judge.frames_played}
        tally.facts["starts"] = next_start.started
        return tally


def seconds_for(cuts: int) -> int:
    """How long to record, so that half of the points can be acknowledgements: about three come in a second."""
    return max(12, cuts // 5)
