"""Topics and messages: ``fleet/v1/{device}/…``, CloudEvents 1.0 in JSON structured mode (https://cloudevents.io).

No message ever carries a position or an officer (R1).
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from dock.mqtt.outbox import Row
from evidence.handover import Notice, Status

COMMAND_BYTES: Final = 16 * 1024
_COMMAND_NAME: Final = re.compile("[a-z][a-z0-9_]{0,47}", re.ASCII)
_EVENT_NAME: Final = re.compile("[a-z][a-z0-9_]{0,47}", re.ASCII)


class CommandEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command as a CloudEvent. Commands that change something will be signed; none is supported yet."""

    specversion: str
    id: str
    source: str
    type: str
    time: str | None = None
    datacontenttype: str | None = None
    data: dict[str, Any] | None = None


def base_topic(device: str) -> str:
    return f"fleet/v1/{device}"


def topic_of(device: str, row: Row) -> str:
    """Where a row is published."""
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
    return cloud_event(device, event_id=f"{row.boot}:{row.row}", kind=kind, time=row.time, data=row.data)


def state_data(status: Status, dropped: dict[str, int]) -> dict[str, Any]:
    """What the fleet may know of a camera's state."""
    data: dict[str, Any] = msgspec.to_builtins(status)
    del data["answer"]
    return {"online": True, **data, **({"telemetry_dropped": dropped} if dropped else {})}


def notice_data(notice: Notice) -> dict[str, Any]:
    """An event of the recorder, as it is: it has no position and no officer."""
    data: dict[str, Any] = msgspec.to_builtins(notice)
    del data["answer"], data["event"]
    return data


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
