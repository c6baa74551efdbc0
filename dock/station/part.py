"""One duty of the station beside taking files in: a part with routes, work in the background and hooks.

Like the parts of the recorder: each feature is a `StationPart` in a file of its own, listed in `dock.station.parts`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from starlette.routing import BaseRoute

from evidence.handover import Receipt
from evidence.verify import Report

if TYPE_CHECKING:
    from dock.station.station import Station

DocumentKind = Literal["command", "profile", "proof", "update"]
AdminVerb = Callable[[dict[str, Any], str], dict[str, Any]]
"""(arguments, who asks) to a result, both as JSON has them. Runs in a thread; raises `DockError` with one sentence."""


@dataclass(frozen=True)
class Document:
    """Something that waits for one camera and is handed over at its next contact. The recorder judges it."""

    kind: DocumentKind
    data: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """SHA-256 of the data."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Stored:
    """A file that is in a store, with its receipt."""

    stored: str
    """Its name in the store."""
    receipt: Receipt
    report: Report
    """What the verifier said."""
    address: str | None = None
    """From which network address its last bytes came; None if a restart lies between."""
    way: str = ""
    """How it came, if not from the camera straight to this station's own store."""


class StationPart:
    """One duty. Overrides what it needs. A hook that raises is logged, and the others go on."""

    name = "part"

    def __init__(self, station: Station) -> None:
        self.station = station

    async def begin(self) -> None:
        """The station's own things are there, nothing is served yet. Raises `DockError` if it cannot serve at all."""

    def routes(self) -> Sequence[BaseRoute]:
        """What cameras may ask over mutual TLS; `request.state.peer` is who asks. Wrap handlers in `known.known`."""
        return ()

    def page_routes(self) -> Sequence[BaseRoute]:
        """What people may ask on the dock page."""
        return ()

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        """What people at this machine may ask over the station's socket, by name (`dock.station.admin`).

        Also called while no server runs: then only this part's `begin` was called before. Check arguments with
        `dock.admin_words.arguments_of`.
        """
        return {}

    async def run(self) -> None:
        """Work in the background; cancelled at the end. Anything that blocks belongs in a thread."""

    def stored(self, file: Stored) -> None:
        """A file is in the store and has its receipt (a thread). Must not raise."""

    def notices(self) -> Sequence[str]:
        """What people must know of the station itself now, a sentence each, for the page (any thread)."""
        return ()

    def documents(self, serial: str) -> Sequence[Document]:  # noqa: ARG002 - for parts that hand something out
        """What waits for this camera (a thread)."""
        return ()

    def answered(self, serial: str, document: Document, error: str | None) -> None:
        """The camera's recorder took the document, or refused it with a sentence (a thread)."""

    async def end(self) -> None:
        """The station stops."""
