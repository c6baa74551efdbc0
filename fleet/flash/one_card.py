"""Several cards at once, a thread each: none of them waits for another, and one that fails does not stop the others."""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Callable, Mapping, Sequence
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

    def run(self, order: Order, stop: threading.Event) -> None:
        """All of it; how it ended stands in `result` and `why`. The identity is written last."""
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


def flash_cards(pairs: Sequence[tuple[str, Card]], order: Order, out: TextIO) -> list[OneCard]:
    """Flash them all, and show how far they are. Raises `CardRefused` before any card is touched.

    Ctrl-C is told to every thread, and waited for: each card says how it was left.
    """
    cards: list[OneCard] = []
    threads: list[threading.Thread] = []
    stop = threading.Event()
    try:
        for serial, card in pairs:
            descriptor = open_alone(card, order.image.manifest.raw_bytes)
            cards.append(OneCard(serial, card, descriptor, CardProgress(f"{serial} {card.path.name}")))
        threads = [threading.Thread(target=one.run, args=(order, stop), name=one.serial) for one in cards]
        page = ProgressPage([one.progress for one in cards], out)
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            try:
                page.follow(threads)
            except KeyboardInterrupt:
                stop.set()
        page.draw()
    finally:
        stop.set()
        for thread in threads:  # none may write through a descriptor that is closed, and perhaps another file's by then
            if thread.ident is not None:
                thread.join()
        for one in cards:
            os.close(one.descriptor)
    return cards
