"""Several cards at once, a thread each: none of them waits for another, and one that fails does not stop the others."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TextIO

from evidence.errors import EvidenceError
from evidence.statements import moment
from fleet.assets import AssetLog, Flashed
from fleet.camera_identity import AGENCY
from fleet.camera_identity import FILE as IDENTITY
from fleet.errors import BadAssetLog, FlashInterrupted, FleetError
from fleet.flash.card import Card, open_alone
from fleet.flash.card_writer import HEAD, CardWriter
from fleet.flash.first_partition import write_files
from fleet.flash.identity import AgencyFiles, Enrolment, identity_of
from fleet.flash.image import VerifiedImage
from fleet.flash.progress import CardProgress, ProgressPage

Result = Literal["began", "ready", "failed", "interrupted"]


@dataclass(frozen=True)
class Order:
    """What all cards of one run get."""

    image: VerifiedImage
    agency: AgencyFiles
    enrolment: Enrolment
    token_of: Callable[[str], str] = field(repr=False)
    """Asked when the card is ready for it, so that no token is made for a bad card."""
    assets: AssetLog
    technician: str
    again: str | None = None
    vehicles: Mapping[str, str] = field(default_factory=dict)
    """Serial: the vehicle's identification, for dash cameras."""


@dataclass
class OneCard:
    """One card on its way to being a camera's."""

    serial: str
    card: Card
    descriptor: int
    progress: CardProgress
    result: Result | None = None
    why: str | None = None
    left: threading.Event = field(default_factory=threading.Event)
    """The card is not used any more."""

    def run(self, order: Order, stop: threading.Event) -> None:
        """All of it; how it ended stands in `result` and `why`. The identity is written last."""
        try:
            self._run(order, stop)
        finally:
            self.left.set()

    def _run(self, order: Order, stop: threading.Event) -> None:
        try:
            order.assets.begin(self.entry(order, "began"))
        except BadAssetLog as error:
            self._end("failed", str(error))
            return
        try:
            self._flash(order, stop)
            order.assets.add(self.entry(order, "ready"))
            self._end("ready", None)
        except FlashInterrupted as error:
            self._close_entry(order, "interrupted", str(error))
        except (FleetError, EvidenceError, OSError, MemoryError) as error:
            self._close_entry(order, "failed", str(error) or type(error).__name__)

    def _flash(self, order: Order, stop: threading.Event) -> None:
        writer, progress, image = CardWriter(self.card, self.descriptor, stop), self.progress, order.image
        mapped = image.blocks.mapped_bytes
        progress.begin("write", mapped)
        head = writer.write(image, progress.tell)
        progress.begin("verify", max(1, mapped - min(HEAD, mapped)))
        writer.verify(progress.tell)
        progress.begin("finish", 0)
        writer.write_at(0, head)
        writer.verify(lambda _: None)
        token = order.token_of(self.serial)
        board, enrolment, agency = image.manifest.board, order.enrolment, order.agency
        files = {f"{AGENCY}/{name}": data for name, data in agency.files.items()}
        files[IDENTITY] = identity_of(
            self.serial, board, enrolment, agency.root_sha256, token, order.vehicles.get(self.serial)
        )
        if stop.is_set():
            raise FlashInterrupted(f"{self.card.path} was given up before it knew who it is: flash it again")
        write_files(writer, image.first, files)

    def _close_entry(self, order: Order, result: Result, why: str) -> None:
        self._end(result, why)
        try:
            order.assets.add(self.entry(order, result))
        except FleetError as error:
            self._end(result, f"{why}; and {error}")

    def _end(self, result: Result, why: str | None) -> None:
        self.result, self.why = result, why
        self.progress.end("ready" if result == "ready" else f"{result.upper()}, see below")

    def entry(self, order: Order, result: Result) -> Flashed:
        """A line for the asset log."""
        manifest = order.image.manifest
        return Flashed(
            v=1,
            at=moment(int(dt.datetime.now(dt.UTC).timestamp() * 1e6) * 1000),
            result=result,
            serial=self.serial,
            board=manifest.board,
            version=manifest.version,
            image_sha256=manifest.sha256,
            device=str(self.card.path)[-128:],
            card_model=self.card.model,
            card_serial=self.card.serial,
            card_bytes=self.card.size_bytes,
            technician=order.technician,
            again=order.again,
            why=self.why[:500] if self.why else None,
        )


def flash_cards(pairs: Sequence[tuple[str, Card]], order: Order, out: TextIO, stop: threading.Event) -> list[OneCard]:
    """Flash them all, and show how far they are. Raises `CardRefused` before any card is touched.

    `stop` gives them up; each is waited for and says how it was left.
    """
    cards: list[OneCard] = []
    threads: list[threading.Thread] = []
    try:
        for serial, card in pairs:
            descriptor = open_alone(card, order.image.manifest.raw_bytes)
            cards.append(OneCard(serial, card, descriptor, CardProgress(f"{serial} {card.path.name}")))
        for one in cards:
            thread = threading.Thread(target=one.run, args=(order, stop), name=one.serial)
            thread.start()
            threads.append(thread)
        ProgressPage([one.progress for one in cards], out).follow([one.left for one in cards])
    finally:
        stop.set()  # if a thread could not be started: the others must not outlive their descriptors
        for thread in threads:
            thread.join()
        for one in cards:
            os.close(one.descriptor)
    return cards


@contextlib.contextmanager
def asked_to_stop(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM only ask. An exception in the middle of a join would take a thread for ended that still
    writes, perhaps through a descriptor that is another file's by then.
    """
    before = {one: signal.signal(one, lambda *_: stop.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
