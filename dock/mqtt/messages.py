"""Topics and messages: ``fleet/v1/{device}/…``, CloudEvents 1.0 in JSON structured mode (https://cloudevents.io).

No message ever carries a position, an officer or a text that a person wrote (R1): of notices and queue items only what
`evidence.notices` and the structures here name leaves the camera. docs/telemetry.md lists all of it.
"""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from dock.mqtt.outbox import Row
from evidence.handover import Notice, Status
from evidence.notices import NOTICES, public_recording, public_word
from evidence.statements import Count, Moment, Word

COMMAND_BYTES: Final = 16 * 1024
ENVELOPE: Final = ("reply_to", "correlation")
"""What an answer's row carries beside its data."""
_COMMAND_NAME: Final = re.compile("[a-z][a-z0-9_]{0,47}", re.ASCII)
_EVENT_NAME: Final = re.compile("[a-z][a-z0-9_]{0,47}", re.ASCII)


class CommandEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command as a CloudEvent. None is supported: what a camera obeys comes signed, as `cmd/command`."""

    specversion: str
    id: str
    source: str
    type: str
    time: str | None = None
    datacontenttype: str | None = None
    data: dict[str, Any] | None = None


class NoticeData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an event says: ``fleet/v1/SERIAL/evt/NAME``."""

    mono_ns: int
    """CLOCK_BOOTTIME of the camera, nanoseconds."""
    word: Annotated[str, Meta(max_length=1600)] | None = None
    """What `evidence.notices` says of it: a word, several with commas between, or a file's stem."""
    recording: Annotated[str, Meta(max_length=64)] | None = None
    """Stem of the recording that it is about."""
    number: Count | None = None
    """A count or a number of the notice's own; of a queue item its `id`."""
    attention: bool = False
    """It belongs on a supervisor's screen."""


class CommandAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a signed command: ``rsp/command``, or where its Response Topic says."""

    request: str
    """SHA-256 of the command; the camera's log names it by that too."""
    error: Annotated[str, Meta(max_length=500)] | None = None
    """Why it is not obeyed, in one sentence; null if it is."""


class QueueItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the supervisor's queue (R11, R29), as ``evt/queue_item``: when it appears, and when it is over."""

    id: Count
    """Its number in this camera's queue."""
    cause: Word
    """What failed, or that a person reported something."""
    component: Word
    """Which component."""
    noticed: Moment
    """When it was noticed, by the camera's own claim."""
    start: Moment | None = None
    """When it began, if that is known."""
    end: Moment | None = None
    """When it was over; absent while it lasts."""
    recording: Annotated[str, Meta(max_length=64)] | None = None
    """Stem of the recording that suffered."""
    frames: Count = 0
    """Frames that are missing."""
    told: bool = False
    """The officer was alarmed."""


def base_topic(device: str) -> str:
    return f"fleet/v1/{device}"


def topic_of(device: str, row: Row) -> str:
    """Where a row is published. An answer goes where it was asked for, within the camera's own answers."""
    if row.kind == "rsp" and "reply_to" in row.data:
        return str(row.data["reply_to"])
    return f"{base_topic(device)}/state" if row.kind == "state" else f"{base_topic(device)}/{row.kind}/{row.name}"


def cloud_event(device: str, *, event_id: str, kind: str, time: str, data: dict[str, Any]) -> bytes:
    """One message. `kind` is state, evt.NAME or rsp.NAME."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": f"urn:dev:serial:{device}",
            "type": f"firsthand.{kind}",
            "time": time,
            "datacontenttype": "application/json",
            "data": data,
        }
    )


def encode_row(device: str, row: Row) -> bytes:
    """A row as its message: the id is ``BOOT:ROW``, the same at every attempt."""
    kind = "state" if row.kind == "state" else f"{row.kind}.{row.name}"
    data = {key: value for key, value in row.data.items() if row.kind != "rsp" or key not in ENVELOPE}
    return cloud_event(device, event_id=f"{row.boot}:{row.row}", kind=kind, time=row.time, data=data)


def correlation_of(row: Row) -> bytes | None:
    """MQTT 5's Correlation Data of an answer; None for all else."""
    text = row.data.get("correlation") if row.kind == "rsp" else None
    return base64.b64decode(text) if isinstance(text, str) else None


def state_data(status: Status, dropped: dict[str, int]) -> dict[str, Any]:
    """What the fleet may know of a camera's state."""
    data: dict[str, Any] = msgspec.to_builtins(status)
    del data["answer"]
    return {"online": True, **data, **({"telemetry_dropped": dropped} if dropped else {})}


def notice_data(notice: Notice) -> dict[str, Any] | None:
    """What may leave the camera of a recorder's notice; None if nothing may."""
    about = NOTICES.get(notice.event)
    if about is not None and not about.leaves:
        return None
    number = notice.number
    said = NoticeData(
        mono_ns=notice.mono_ns,
        word=public_word(notice.event, notice.word),
        recording=public_recording(notice.recording),
        number=number if number is not None and 0 <= number <= 2**53 else None,
        attention=about is not None and about.attention,
    )
    data: dict[str, Any] = msgspec.to_builtins(said)
    return data


def queue_items(facts: dict[str, Any]) -> list[QueueItem]:
    """The items of the recorder's queue, without what is not named in `QueueItem`. What is no item is left out."""
    rows = facts.get("items")
    items = []
    for row in rows if isinstance(rows, list) else []:
        try:
            items.append(msgspec.convert(row, QueueItem))
        except msgspec.ValidationError:
            continue
    return [msgspec.structs.replace(one, recording=public_recording(one.recording)) for one in items]


def queue_data(item: QueueItem) -> dict[str, Any]:
    """The event of one item; it always belongs on a supervisor's screen."""
    data: dict[str, Any] = msgspec.to_builtins(item)
    return {**data, "attention": True}


def event_name(text: str) -> str | None:
    """A name that may stand in a topic; None otherwise."""
    return text if _EVENT_NAME.fullmatch(text) else None


def refusal(device: str, topic: str, payload: bytes) -> tuple[str, dict[str, Any]] | None:
    """What to answer to a command: its name and the answer's data. None for what is no command at all.

    Nothing from outside is echoed but a checked name and a bounded id.
    """
    name = topic.removeprefix(f"{base_topic(device)}/cmd/")
    if name == topic or not _COMMAND_NAME.fullmatch(name):
        return None
    if len(payload) > COMMAND_BYTES:
        return name, {"request": None, "error": f"a command has at most {COMMAND_BYTES} bytes"}
    try:
        command = msgspec.json.decode(payload, type=CommandEvent)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return name, {"request": None, "error": "not a CloudEvent in JSON"}
    if command.specversion != "1.0" or not command.id or len(command.id) > 128:
        return name, {"request": None, "error": "specversion must be 1.0 and id 1 to 128 characters"}
    return name, {"request": command.id, "error": "not supported"}
