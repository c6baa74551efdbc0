"""What the dock's side asks the recorder over its Unix socket: one JSON object a line, a request up, an answer down."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence.statements import Count, Frozen, Name, Word


class StatusRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="status"):
    pass


class ListRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="list"):
    """Which closed files lie in the spool: a page of the list, by name."""

    after: Name | None = None
    """Only names that follow this one."""
    limit: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    """At most so many; the recorder may give fewer, and says that there are more."""


class ReceiptRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="receipt"):
    name: Name
    receipt: Annotated[bytes, Meta(max_length=64 * 1024)]
    """DER; base64 in the JSON."""


class ContactRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="contact"):
    contact: Annotated[bytes, Meta(max_length=64 * 1024)]


class EventsRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="events"):
    """After the answer, one `Notice` a line until either side closes."""


class SelfTestRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="selftest"):
    """Run the self-test again and answer with its result."""

    clip: bool = False
    """With the test clip behind it, which takes up to ten seconds more."""
    extended: bool = False
    """The supervisor's extended test (R37): it asks for each line, and takes minutes."""
    supervisor: Name | None = None
    """Who runs the extended test, as a claim; a signed command says it better."""


class MarkRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="mark"):
    """Put a marker into the running recording."""


class TriggerRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="trigger"):
    """A message trigger: a weapon's or holster's radio, a peer, a technician's test (R18, R23)."""

    name: Word
    """Name of an input whose `source` is `message`."""
    incident: Name | None = None
    """The incident of the peer that announced its start."""


class PeerRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="peer"):
    """Another camera's announcement of its start (CMS of its evidence certificate), DER; base64 in the JSON."""

    announcement: Annotated[bytes, Meta(max_length=64 * 1024)]


class UpdateRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="update"):
    """The updater asks before it begins, and says when it is done; a start of a recording aborts an update."""

    phase: Literal["began", "ended"]


class StopReasonRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="stop_reason"):
    """Why the officer stops, while the camera waits for it (D.3.a, R24 to R26)."""

    code: Word
    supervisor: Literal["consulted", "not_possible"] | None = None


class CategoryRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="category"):
    """Give a recording a category (R31): the one in progress, or a closed one by its stem."""

    category: Word
    recording: Name | None = None


class LabelRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="label"):
    """Append a label to a recording: a case or CAD number, a note. Labels are appended, never replaced."""

    label: Literal["case", "cad", "note", "hold"]
    text: Annotated[str, Meta(min_length=1, max_length=500)]
    recording: Name | None = None


class CommandRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="command"):
    """A signed command of a supervisor or the dock (CMS of the command role), DER; base64 in the JSON."""

    command: Annotated[bytes, Meta(max_length=64 * 1024)]


class ReportRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="report"):
    """A person reports a malfunction, damage or loss in one action (R11)."""

    component: Word
    symptom: Annotated[str, Meta(min_length=1, max_length=500)]


class FactsRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="facts"):
    """Ask for one of the recorder's accounts."""

    about: Literal["usage", "queue", "support", "storage", "power"]


class ProofRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="proof"):
    """The vault holder's word that objects open (`evidence.vault_proof`), DER; base64 in the JSON."""

    proof: Annotated[bytes, Meta(max_length=256 * 1024)]


class ProfileRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="profile"):
    """A newer signed profile, DER; base64 in the JSON. Checked at once, followed from the next start on (R7)."""

    profile: Annotated[bytes, Meta(max_length=256 * 1024)]


class Offloading(Frozen, frozen=True, kw_only=True):
    """How far the offload is (R30). The agent's word: it reaches the officer's screen, never the evidence."""

    files: Count
    """Files that wait, the one in progress too."""
    bytes: Count
    """Bytes that wait."""
    bytes_per_s: Count = 0
    """Speed of the last half minute; 0 while nothing moves."""
    minutes_left: Count | None = None
    """Minutes at that speed."""
    current: Name | None = None
    """The file in progress."""
    oldest_s: Count = 0
    """How long the oldest of them has waited, in seconds of boot time."""
    over: Literal["dock", "wifi", "lte", "none"] = "none"
    """Over which link; `none`: nothing is uploaded now."""
    trouble: Name | None = None
    """Why nothing moves, in one sentence."""


class OffloadRequest(Frozen, frozen=True, kw_only=True, tag_field="op", tag="offload"):
    """The agent tells the recorder how far the offload is."""

    offloading: Offloading


Request = (
    StatusRequest
    | ListRequest
    | ReceiptRequest
    | ContactRequest
    | EventsRequest
    | SelfTestRequest
    | MarkRequest
    | TriggerRequest
    | PeerRequest
    | UpdateRequest
    | StopReasonRequest
    | CategoryRequest
    | LabelRequest
    | CommandRequest
    | ReportRequest
    | FactsRequest
    | ProofRequest
    | ProfileRequest
    | OffloadRequest
)
request_decoder: Final = msgspec.json.Decoder(Request)
