"""Power cuts during the small durable things: the device log, the outbox of telemetry; and the negative controls."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from acknowledgements import Expected, Notes
from card_judge import CardJudge
from cutting import Cut, Look, Seen, Tally, cut_everywhere
from recorded_card import RecordedCard, work_directory
from recorder_run import HERE, Without, witnessed

from dock.mqtt.outbox import Outbox
from fleet.ca import create_agency


def work(card: RecordedCard, without: Without | None, *words: str) -> None:
    """Run one of the modules of this directory as a witnessed process, to its end."""
    paths = [str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in paths if one)}
    subprocess.run([sys.executable, *witnessed(card, without), *words], check=True, env=environment, timeout=800)


def device_log(
    *,
    cuts: int,
    seed: int,
    entries: int = 150,
    without: Without | None = None,
    options: str = "",
    name: str = "log",
    also: Look | None = None,
) -> Tally:
    """A device log of so many entries."""
    with work_directory() as directory:
        base = Path(directory)
        pki = base / "pki"
        create_agency(pki)
        with RecordedCard(base, options=options) as card:
            first = card.position()
            work(card, without, "log_work", str(pki), str(card.place), str(entries))
        notes = Notes(base / "notes")
        judge = CardJudge(pki, notes, base / "work")

        def look(place: Path, cut: Cut, expected: Expected) -> Seen:
            more = also(place, cut, expected).wrong if also is not None else ()
            return Seen((*judge.judge(place)[0], *more))

        tally = cut_everywhere(name, card, first, look, cuts=cuts, seed=seed)
        tally.facts["files_judged"] = judge.judged
        return tally


def outbox(*, cuts: int, seed: int, rows: int = 150, synchronous: str = "", name: str = "outbox") -> Tally:
    """An outbox that takes and gives so many rows."""
    with work_directory() as directory:
        base = Path(directory)
        with RecordedCard(base) as card:
            work(
                card, None, "outbox_work", str(card.place / "agent"), str(rows), *([synchronous] if synchronous else [])
            )

        def look(place: Path, _: Cut, expected: Expected) -> Seen:
            return Seen(tuple(_missing_rows(place / "agent", base / "copy", expected)))

        notes = Notes(base / "notes")
        # From the first acknowledgement on: before it there may be no data base yet.
        return cut_everywhere(name, card, notes.instants()[0], look, cuts=cuts, seed=seed)


def _missing_rows(directory: Path, copy: Path, expected: Expected) -> list[str]:
    """Rows that were acknowledged, were not given to the broker, and are not there."""
    shutil.rmtree(copy, ignore_errors=True)
    if not directory.is_dir():
        return ["the outbox is gone"]
    shutil.copytree(directory, copy)
    put = {one.removeprefix("put ") for one in expected.commits if one.startswith("put ")}
    sent = {one.removeprefix("sent ") for one in expected.commits if one.startswith("sent ")}
    sent |= {one.word.removeprefix("sent ") for one in expected.under_way if one.word.startswith("sent ")}
    try:
        box = Outbox(copy / "outbox.sqlite", max_rows=100_000)
        held = {row.name for row in box.oldest(1_000_000)}
        box.close()
    except sqlite3.Error as error:
        return [f"the outbox cannot be opened: {error}"]
    return [f"{name} was kept durably and is gone" for name in sorted(put - sent - held)]


def controls(*, cuts: int, seed: int) -> list[Tally]:
    """Runs that must lose what was acknowledged; where nothing is lost, the bench proves nothing."""
    return [
        device_log(cuts=cuts, seed=seed, entries=40, without="sync", name="without_fdatasync"),
        device_log(cuts=cuts, seed=seed, entries=40, without="names", name="without_directory_fsync"),
        device_log(cuts=cuts, seed=seed, entries=40, options="barrier=0", name="with_nobarrier"),
        outbox(cuts=cuts, seed=seed, rows=60, synchronous="NORMAL", name="with_synchronous_normal"),
    ]
