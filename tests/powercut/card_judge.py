"""What a camera's card must show after a power cut (invariants 3, 6, 7, 9), by the product's own recovery and verifier.

A file is judged once for each content that it is found with: most cuts leave most files as the cut before left them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import itertools
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import av
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "evidence"))

from acknowledgements import Notes  # noqa: E402
from recordings import Ticks  # noqa: E402

from evidence.errors import EvidenceError  # noqa: E402
from evidence.export.items import ObjectItem, Rest, StatementItem, walk  # noqa: E402
from evidence.keys import FileSigner, load_certificates  # noqa: E402
from evidence.recovery import recover  # noqa: E402
from evidence.sealed import Recipient, open_sealed  # noqa: E402
from evidence.statements import Event, MediaFacts, Open, Recovered, Sealed  # noqa: E402
from evidence.trust import Trust  # noqa: E402
from evidence.verify import verify_file  # noqa: E402

LATER_BOOT: Final = "0d0f1c1a-3333-4333-8333-5a1e5d9b2e77"


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """One evidence file after recovery."""

    name: str
    wrong: tuple[str, ...] = ()
    stream: str = ""
    previous: str | None = None
    close_hash: str | None = None
    begun_ns: int = 0
    media: tuple[MediaFacts, ...] = ()
    played: int = 0
    """Frames that were decoded."""
    tombstones: frozenset[str] = frozenset()
    """Of a log segment: the digests of all files whose deletion it tells."""


@dataclass
class CardJudge:
    """Judges cards of one camera of one agency."""

    pki: Path
    notes: Notes
    work: Path
    play_each: int = 8
    """The first new content of a recording with pictures is decrypted and decoded as well, and each so manieth."""
    judged: int = 0
    frames_played: int = 0
    _films: int = 0
    _seen: dict[tuple[str, str], FileVerdict] = field(default_factory=dict)
    _chains: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.trust = Trust.load(self.pki / "root.pem")
        self._signer = FileSigner.load(self.pki / "camera.key", self.pki / "camera.pem")
        self._recipient = Recipient.of(load_certificates(self.pki / "vault.pem")[0])
        key = serialization.load_pem_private_key((self.pki / "vault.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._vault_key = key

    def judge(self, card: Path, spool: str = "spool") -> tuple[list[str], list[FileVerdict]]:
        """What is wrong with the card's evidence, and what each file holds. The card itself is not changed."""
        found: list[FileVerdict] = []
        keys: list[str] = []
        for path in sorted((card / spool).glob("*.evidence")) if (card / spool).is_dir() else ():
            data = path.read_bytes()
            key = path.name, hashlib.sha256(data).hexdigest()
            if key not in self._seen:
                self._seen[key] = self._judge_file(path.name, data, f"{spool}/{path.name}")
            found.append(self._seen[key])
            keys.append(key[1])
        if tuple(keys) not in self._chains:
            self._chains[tuple(keys)] = self._chain(found)
        wrong = [line for one in found for line in one.wrong] + self._chains[tuple(keys)]
        return wrong, found

    @staticmethod
    def _chain(files: list[FileVerdict]) -> list[str]:
        """Each log segment names the close of the one before."""
        segments = [one for one in files if one.stream == "log"]
        return [
            f"log segment {number + 2} does not go on from the one before"
            for number, (before, after) in enumerate(itertools.pairwise(segments))
            if after.previous != before.close_hash
        ]

    def _judge_file(self, name: str, data: bytes, noted: str) -> FileVerdict:
        """Recover a copy, and verify it."""
        self.judged += 1
        meant = self.notes.meant(noted)
        directory = self.work / "recovered"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        path = directory / name
        path.write_bytes(data)
        clock = Ticks(60 * 10**9, _now_ns(), boot=LATER_BOOT, source="none")
        try:
            outcome = recover(path, self.trust, self._signer, [self._recipient], clock)
        except (EvidenceError, OSError) as error:
            return FileVerdict(name, (f"{name} cannot be recovered: {error}",))
        if outcome.file is None:
            return FileVerdict(
                name, () if outcome.found.whole_bytes == 0 else (f"{name} was set aside, with whole bytes",)
            )
        whole, wrong = outcome.found.whole_bytes, list[str]()
        if data[:whole] != meant[:whole]:
            wrong.append(f"{name}: recovery keeps bytes that the camera never wrote")
        report = verify_file(path, self.trust)
        if not report.valid:
            wrong.append(f"{name} does not verify after its recovery: {report.findings}")
        items = _items(path)
        signed = next((one for one in _statements(items) if isinstance(one, Recovered)), None)
        # What stands before `recovered` is the camera's own, byte for byte: see above.
        announced = {one.sha256 for one in _statements(items) if isinstance(one, Sealed)}
        invented = [one.sha256 for one in signed.lost if one.sha256 not in announced] if signed is not None else []
        wrong += [f"{name}: `recovered` signs {one[:16]}, which nothing announced" for one in invented]
        media = tuple(one.media for one in _statements(items) if isinstance(one, Sealed) and one.media is not None)
        media = media[: report.fragments]
        played = 0
        self._films += bool(media)
        if media and self._films % self.play_each == 1:
            played, problem = self._play(path, items, sum(one.frames for one in media))
            wrong += [problem] if problem else []
            self.frames_played += played
        opened = next(one for one in _statements(items) if isinstance(one, Open))
        events = [one for one in _statements(items) if isinstance(one, Event) and one.event == "tombstone"]
        tombstones = frozenset(one.file.sha256 for one in events if one.file is not None)
        links = opened.previous, report.close_hash, opened.mono_ns
        return FileVerdict(name, tuple(wrong), opened.stream, *links, media, played, tombstones)

    def _play(self, path: Path, items: list[StatementItem | ObjectItem | Rest], frames: int) -> tuple[int, str | None]:
        """Open it with the vault's key and decode all of its pictures; how many, and what is wrong with that."""
        data, film = path.read_bytes(), bytearray()
        for item in items:
            if isinstance(item, ObjectItem) and item.announced and item.announced.object in ("init", "media"):
                film += open_sealed(data[item.offset : item.offset + item.size], self._recipient, self._vault_key)
        with av.open(io.BytesIO(bytes(film)), "r", format="mp4") as container:
            decoded = len(list(container.decode(video=0)))
        return decoded, None if decoded == frames else f"{path.name}: {decoded} of {frames} signed pictures play"


def _now_ns() -> int:
    return int(dt.datetime.now(dt.UTC).timestamp() * 1e9)


def _items(path: Path) -> list[StatementItem | ObjectItem | Rest]:
    with path.open("rb") as file:
        return list(walk(file))


def _statements(items: list[StatementItem | ObjectItem | Rest]) -> list[object]:
    return [one.statement for one in items if isinstance(one, StatementItem) and one.statement is not None]
