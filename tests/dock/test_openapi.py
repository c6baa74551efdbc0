"""docs/openapi.json names all that cameras may ask a station, and a real station keeps to it whatever it is asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from dock_bench import write_station
from starlette.routing import Route

from dock.config import load_station
from dock.station.app import build_app
from dock.station.opening import open_station

sys.path.append(str(Path(__file__).parents[1] / "fuzz"))
from station_api import DOCUMENT, fuzz_station

METHODS = frozenset({"get", "head", "post", "put", "patch", "options", "delete"})


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text("utf-8"))
    return loaded


def test_every_route_of_the_station_stands_in_the_document_and_no_other(
    document: dict[str, Any], tmp_path: Path, pki: Path
) -> None:
    with open_station(load_station(write_station(tmp_path, pki))) as station:
        more = [route for part in station.parts for route in part.routes()]
        app = build_app(station.desk, station.intake, station.config.limits, more)
        served = {
            (route.path, method)
            for route in app.routes
            if isinstance(route, Route)
            for method in route.methods or ()
            if method != "HEAD" or "GET" not in (route.methods or ())  # HEAD of what may be read comes by itself
        }
    written = {
        (path, method.upper()) for path, item in document["paths"].items() for method in item if method in METHODS
    }
    assert served == written


def test_every_operation_names_its_parameters_its_limits_and_its_refusals(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}, path
            assert "403" in operation["responses"], f"{method} {path}: who may not?"
            body = operation.get("requestBody")
            if body is not None and "application/json" in body["content"]:
                assert "bytes" in body["description"], f"{method} {path}: how large may it be?"
                assert {"400", "413"} <= operation["responses"].keys(), f"{method} {path}"


@pytest.mark.slow
def test_a_real_station_answers_a_foreign_tool_as_the_document_says(tmp_path: Path) -> None:
    for told in fuzz_station(tmp_path, cases=1, seed=1):
        assert told.complete, told.text
        assert told.operations == 18
        assert told.cases > 500
        assert told.failures == 0, told.text
