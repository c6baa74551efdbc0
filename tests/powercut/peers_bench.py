"""The same power cuts beside us: how many seconds of pictures each recorder loses, `make powercut PART=peers`."""

from __future__ import annotations

import contextlib
import hashlib
import statistics
import threading
from collections.abc import Sequence
from pathlib import Path

import recorder_bench
from acknowledgements import NOTES, Expected
from cutting import Cut, Look, Seen, Tally, cut_over_time
from motion_peer import MotionFeed, motion
from motion_peer import here as motion_is_here
from peer_recorders import PEERS, RATE, Feed, Peer, files, pictures_in, recording
from recorded_card import RecordedCard, work_directory

from benchmarks import figures


def looker(feed: Feed | MotionFeed) -> Look:
    """Looks at what one of them left."""
    seen: dict[str, int] = {}

    def pictures(path: Path) -> int:
        key = hashlib.sha256(path.read_bytes()).hexdigest()
        if key not in seen:
            seen[key] = pictures_in(path)
        return seen[key]

    def look(card: Path, cut: Cut, _: Expected) -> Seen:
        held = sum(pictures(path) for path in files(card / "out"))
        return Seen(lost_s=max(0, feed.given_by(cut.at_ns) - held) / RATE)

    return look


def new_card(base: Path, name: str, stack: contextlib.ExitStack) -> RecordedCard:
    """A card for a recorder that acknowledges nothing to anybody."""
    (base / name / "notes").mkdir(parents=True)
    (base / name / "notes" / NOTES).touch()
    return stack.enter_context(RecordedCard(base / name))


def fed(*, cuts: int, seed: int, seconds: int, peers: Sequence[Peer] = PEERS) -> list[Tally]:
    """All that are installed record the same pictures at the same time, then each card is cut."""
    feed, here = Feed(seconds), [one for one in peers if one.here]
    with work_directory() as directory:
        with contextlib.ExitStack() as mounted:
            cards = [new_card(Path(directory), one.name, mounted) for one in here]
            pipes = [mounted.enter_context(recording(one, card)) for one, card in zip(here, cards, strict=True)]
            feeder = threading.Thread(target=feed.run, args=(pipes,), name="feed")
            feeder.start()
            feeder.join()
        begun, ended = feed.instants_ns[0], feed.instants_ns[-1]
        return [
            cut_over_time(one.name, card, begun, ended, looker(feed), cuts=cuts, seed=seed)
            for one, card in zip(here, cards, strict=True)
        ]


def with_motion(*, cuts: int, seed: int, seconds: int) -> list[Tally]:
    """Motion, if it is installed."""
    if not motion_is_here():
        return []
    with work_directory() as directory:
        with contextlib.ExitStack() as mounted:
            card = new_card(Path(directory), "motion", mounted)
            with motion(card) as feed:
                threading.Event().wait(seconds)
        if not feed.pictures:
            print("motion recorded nothing here: left out")
            return []
        return [cut_over_time("motion", card, feed.begun_ns, feed.ended_ns, looker(feed), cuts=cuts, seed=seed)]


def run(*, cuts: int, seed: int, seconds: int) -> list[Tally]:
    """Ours first, then the others."""
    ours = recorder_bench.run(cuts=cuts, seed=seed, seconds=seconds, name="firsthand", over_time=True)
    others = fed(cuts=cuts, seed=seed, seconds=seconds)
    return [ours, *others, *with_motion(cuts=cuts, seed=seed, seconds=seconds)]


def table(tallies: Sequence[Tally]) -> str:
    """Seconds lost, for people."""
    lines = [f"{'recorder':<28} {'cards':>6} {'median':>8} {'worst':>8}"]
    lines += [f"{one.name:<28} {one.total:>6} {middle(one):>6.1f} s {one.worst:>6.1f} s" for one in tallies]
    return "\n".join(lines)


def middle(tally: Tally) -> float:
    """Half of all cuts cost less."""
    return statistics.median(tally.losses_s) if tally.losses_s else 0.0


def summary(tallies: Sequence[Tally]) -> dict[str, figures.Value]:
    """The flat figures."""
    found: dict[str, figures.Value] = {"cards_checked": sum(one.total for one in tallies)}
    for one in tallies:
        found |= {f"{one.name}_worst_loss_s": one.worst, f"{one.name}_median_loss_s": middle(one)}
    return found


def rows(tallies: Sequence[Tally]) -> list[dict[str, figures.Value]]:
    """A row for each recorder and model."""
    return [
        {"what": one.name, "model": model, "cards": one.looks[model], "worst_s": one.worst_s.get(model, 0.0)}
        for one in tallies
        for model in one.looks
    ]
