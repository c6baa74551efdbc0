"""What the evidence of a run says, as lines of its timeline: every statement, and how large its plain samples are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from evidence.errors import EvidenceError
from evidence.export.decrypt import Vault
from evidence.export.items import ObjectItem, StatementItem, walk
from evidence.fmp4 import VIDEO_TRACK_ID
from evidence.fmp4_read import InitInfo, parse_fragment, parse_init
from evidence.nal import nal_type, split_avcc
from evidence.statements import AnyStatement, Close, Event, Gap, Sealed
from simulator.virtual_timeline import Timeline

_SEI: Final = 6
"""NAL units of this type carry the media signatures, whose size is never the same."""


def add_evidence(timeline: Timeline, places: tuple[Path, ...], vault: Vault) -> int:
    """Add all files of `places` (the last place wins); how many statements. Raises OSError.

    A file that is not whole, since a bit on the card turned, is told up to there.
    """
    files = {path.name: path for place in places for path in place.glob("*.evidence")}
    return sum(_add_file(timeline, path, vault) for _, path in sorted(files.items()))


def _add_file(timeline: Timeline, path: Path, vault: Vault) -> int:
    stem = path.stem
    init: InitInfo | None = None
    count, at_ns = 0, 0
    waiting: tuple[Sealed, dict[str, Any]] | None = None
    try:
        with path.open("rb") as file:
            for item in walk(file):
                if isinstance(item, StatementItem) and item.statement is not None:
                    statement = item.statement
                    at_ns = statement.mono_ns
                    facts = {"file": stem, "seq": statement.seq, "statement": statement.kind, **_facts(statement)}
                    count += 1
                    if isinstance(statement, Sealed):
                        waiting = (statement, facts)
                    else:
                        timeline.add(statement.mono_ns, "statement", facts)
                elif isinstance(item, ObjectItem) and waiting is not None:
                    sealed, facts = waiting
                    waiting = None
                    if sealed.object == "init":
                        init = parse_init(vault.plaintext(file, item))
                    elif sealed.object == "media":
                        facts = {**facts, **plain_sizes(vault.plaintext(file, item), init)}
                    timeline.add(sealed.mono_ns, "statement", facts)
    except EvidenceError as error:
        timeline.add(at_ns, "statement", {"file": stem, "unreadable": type(error).__name__})
    return count


def _facts(statement: AnyStatement) -> dict[str, Any]:
    match statement:
        case Sealed(object=kind, media=media):
            if media is None:
                return {"object": kind}
            numbers = {"start_ns": media.start_ns, "duration_ns": media.duration_ns, "frames": media.frames}
            return {"object": kind, **numbers, "sound_frames": media.sound_frames, "gps_fixes": media.gps_fixes}
        case Event(event=event, word=word):
            return {"event": event, **({} if word is None else {"word": word})}
        case Gap(cause=cause, start_ns=start_ns, end_ns=end_ns, frames=frames):
            return {"cause": cause, "start_ns": start_ns, "end_ns": end_ns, "frames": frames}
        case Close(reason=reason):
            return {"reason": reason}
    return {}


def plain_sizes(media: bytes, init: InitInfo | None) -> dict[str, int]:
    """Octets of one media object's samples, by what they are, without the media signatures."""
    sizes = {"video_bytes": 0, "other_bytes": 0}
    for track in parse_fragment(media, init).tracks:
        for sample in track.samples:
            data = memoryview(media)[sample.offset : sample.offset + sample.size]
            if track.track_id == VIDEO_TRACK_ID:
                sizes["video_bytes"] += sum(len(nal) for nal in split_avcc(data) if nal_type(nal) != _SEI)
            else:
                sizes["other_bytes"] += sample.size
    return sizes
