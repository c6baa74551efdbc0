"""docs/asyncapi.json: AsyncAPI 3.0 of all that cameras and the fleet say over MQTT, from the code's own structures.

The tests hold every message that the programs send against it (tests/dock/test_asyncapi.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from dock.mqtt.messages import CommandAnswer, NoticeData, QueueItem
from evidence.handover import Status
from evidence.notices import NOTICES
from evidence.requests import Offloading

FILE = Path(__file__).with_name("asyncapi.json")
_REF = "#/components/schemas/{name}"


def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Firsthand fleet telemetry",
            "version": "1.0.0",
            "description": "What cameras tell the fleet's broker, and how they are told something. No message "
            "carries a position, an officer, or a text that a person wrote. It is no evidence: the signed device log "
            "says the same to a court.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "fleet": {
                "host": "{broker}:8883",
                "protocol": "mqtts",
                "protocolVersion": "5.0",
                "description": "TLS 1.3 with a client certificate; the name in it is the camera's serial.",
                "variables": {"broker": {"default": "broker.example.org"}},
                "security": [{"$ref": "#/components/securitySchemes/certificate"}],
            }
        },
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": _messages(),
            "schemas": _schemas(),
            "securitySchemes": {"certificate": {"type": "X509"}},
            "parameters": {
                "device": {"description": "The camera's serial."},
                "event": {"description": "The event's name."},
                "request": {"description": "The command's name, or what its Response Topic says."},
                "system": {"description": "The system's id, percent-encoded."},
            },
        },
    }


def _parameters(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/parameters/{name}"} for name in names}


def _channels() -> dict[str, Any]:
    def channel(address: str, what: str, *messages: str, **parameters: Any) -> dict[str, Any]:
        named = {one: {"$ref": f"#/components/messages/{one}"} for one in messages}
        return {"address": address, "description": what, "messages": named, **parameters}

    device = {"parameters": _parameters("device")}
    return {
        "state": channel("fleet/v1/{device}/state", "The camera's state, retained.", "state", "offline", **device),
        "events": channel(
            "fleet/v1/{device}/evt/{event}", "Something happened.", "notice", "queueItem", "agentEvent",
            parameters=_parameters("device", "event"),
        ),
        "commands": channel("fleet/v1/{device}/cmd/command", "A signed command.", "signedCommand", **device),
        "answers": channel(
            "fleet/v1/{device}/rsp/{request}", "What became of a command.", "commandAnswer", "refusal",
            parameters=_parameters("device", "request"),
        ),
        "peers": channel(
            "firsthand/{system}/peers/{device}", "A camera began to record (R23).", "peerStart",
            parameters=_parameters("system", "device"),
        ),
    }  # fmt: skip


def _operations() -> dict[str, Any]:
    def operation(action: str, channel: str, what: str, **more: Any) -> dict[str, Any]:
        return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": what, **more}

    return {
        "sendState": operation("send", "state", "When it changes, and at least every `state_s`; the last will too."),
        "sendEvent": operation("send", "events", "QoS 1; durable on the camera until the broker has it."),
        "receiveCommand": operation(
            "receive", "commands", "Request and response of MQTT 5: Response Topic and Correlation Data are honoured.",
            reply={
                "channel": {"$ref": "#/channels/answers"},
                "address": {"location": "$message.header#/responseTopic"},
            },
        ),
        "announceStart": operation("send", "peers", "Never retained."),
        "hearStart": operation("receive", "peers", "Checked by the recorder."),
    }  # fmt: skip


def _messages() -> dict[str, Any]:
    def event(name: str, schema: str, what: str) -> dict[str, Any]:
        return {
            "name": name,
            "summary": what,
            "contentType": "application/cloudevents+json",
            "payload": {
                "allOf": [
                    {"$ref": "#/components/schemas/CloudEvent"},
                    {"type": "object", "properties": {"data": {"$ref": f"#/components/schemas/{schema}"}}},
                ]
            },
        }

    def signed(name: str, what: str) -> dict[str, Any]:
        return {"name": name, "summary": what, "contentType": "application/pkcs7-mime", "payload": {"type": "string"}}

    return {
        "state": event("state", "State", "How the camera is."),
        "offline": event("offline", "Offline", "The camera is off line: its last will, or its own word."),
        "notice": event(
            "notice", "NoticeData", "Something happened on the camera: " + ", ".join(sorted(_leaving())) + "."
        ),
        "queueItem": event("queueItem", "QueueItem", "An item of the supervisor's queue appeared, or is over."),
        "agentEvent": event("agentEvent", "AgentEvent", "Something happened to the offload."),
        "commandAnswer": event("commandAnswer", "CommandAnswer", "What became of a signed command."),
        "refusal": event("refusal", "Refusal", "An unsigned command is never obeyed."),
        "signedCommand": signed("signedCommand", "CMS of the command role, DER; the recorder checks it."),
        "peerStart": signed("peerStart", "CMS of a camera's evidence certificate, DER; the recorder checks it."),
    }


def _leaving() -> list[str]:
    return sorted(name for name, about in NOTICES.items() if about.leaves)


def _schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(
        [NoticeData, QueueItem, CommandAnswer, Status, Offloading], ref_template=_REF
    )
    state = schemas.pop("Status")
    del state["properties"]["answer"]
    state["required"] = ["online", *(one for one in state["required"] if one != "answer")]
    state["title"] = "State"
    state["properties"] |= {
        "online": {"const": True},
        "telemetry_dropped": {"type": "object", "additionalProperties": {"type": "integer"}},
    }
    text = {"type": "string"}
    plain = {"type": ["string", "integer", "number", "boolean", "null"]}
    schemas["QueueItem"]["properties"]["attention"] = {"const": True}
    return {
        **schemas,
        "State": state,
        "Offline": _closed(online={"const": False}, how={"enum": ["lost", "left"]}),
        "Refusal": _closed(request={"type": ["string", "null"]}, error=text),
        "AgentEvent": {"type": "object", "additionalProperties": plain},
        "CloudEvent": _closed(
            specversion={"const": "1.0"},
            id={"type": "string", "minLength": 1, "description": "The same at every attempt: drop what you have seen."},
            source={"type": "string", "pattern": "^urn:dev:serial:"},
            type={"type": "string", "pattern": "^firsthand\\."},
            time={"type": "string", "format": "date-time"},
            datacontenttype={"const": "application/json"},
            data={"type": "object"},
        ),
    }


def _closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def text() -> str:
    """The file's content."""
    return json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def stale() -> bool:
    """Whether the file is not what the code says."""
    return not FILE.exists() or FILE.read_text("utf-8") != text()
