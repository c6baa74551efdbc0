"""The AsyncAPI document (docs/asyncapi.json) describes every message that the programs send over MQTT, and is valid."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).resolve().parents[2] / "docs/asyncapi.json").read_text("utf-8"))


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def check_message(topic: str, event: dict[str, Any]) -> None:
    """Fails unless a channel has that topic, and exactly what one of its messages says."""
    channels = [one for one in DOCUMENT["channels"].values() if address(one).fullmatch(topic)]
    assert len(channels) == 1, f"{topic} is in {len(channels)} channels"
    trouble = []
    for reference in channels[0]["messages"].values():
        payload = resolve(reference["$ref"])["payload"]
        schema = {**payload, "components": DOCUMENT["components"]}
        errors = list(jsonschema.Draft202012Validator(schema).iter_errors(event))
        if not errors:
            return
        trouble.append(errors[0].message)
    raise AssertionError(f"{topic}: {event} is none of its messages: {trouble}")


def address(channel: dict[str, Any]) -> re.Pattern[str]:
    named = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(channel["address"]))
    return re.compile(named.replace("(?P<request>[^/]+)", "(?P<request>.+)"))


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [one for value in node.values() for one in references(value)]
    return [one for value in node for one in references(value)] if isinstance(node, list) else []


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    for reference in references(DOCUMENT):
        assert resolve(reference) is not None
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in {"send", "receive"}


def test_what_no_camera_says_is_refused() -> None:
    event = {
        "specversion": "1.0", "id": "b:1", "source": "urn:dev:serial:SIM-0001", "type": "firsthand.rsp.command",
        "time": "2026-01-01T00:00:00.000000Z", "datacontenttype": "application/json",
        "data": {"request": "0" * 64, "error": None},
    }  # fmt: skip
    check_message("fleet/v1/SIM-0001/rsp/command", event)
    for wrong in ({**event, "specversion": "0.3"}, {**event, "position": 1}, {**event, "data": {"lat": 1.0}}):
        with pytest.raises(AssertionError):
            check_message("fleet/v1/SIM-0001/rsp/command", wrong)
    with pytest.raises(AssertionError):
        check_message("fleet/v1/SIM-0001/gps", event)
