"""The panel's web application: one page, its stream of events, its orders, the live picture and the exported videos."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from evidence.errors import EvidenceError
from simulator.layout import RunLayout
from simulator.panel import machine_drawing
from simulator.panel.director import Director, fault_list
from simulator.panel.guard import Guard
from simulator.panel.orders import MOST_BYTES, read_order
from simulator.run_errors import RunError, WorldRefused
from simulator.scenario import bundled, find_scenario, load_scenario
from simulator.socket_lines import LineSocket

_HERE: Final = Path(__file__).resolve().parent
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_EXPORTED: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{0,40}\.(mp4|gpx|html|json)")
_WITHIN_S: Final = 30.0
_REPORT_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


class Panel:
    """What the routes need."""

    def __init__(self, director: Director, out: Path) -> None:
        self._director = director
        self._out = out
        self._assets = {
            path.name: (path.read_bytes(), _TYPES[path.suffix])
            for path in sorted((_HERE / "assets").iterdir())
            if path.suffix in _TYPES
        }
        templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._page = templates.get_template("panel.html").render(
            boxes=machine_drawing.boxes(), arrows=machine_drawing.arrows(), machine=machine_drawing,
            scenarios=[(name, load_scenario(find_scenario(name)).title) for name in bundled()],
        )  # fmt: skip
        self._facts = json.dumps({"states": machine_drawing.words(), "faults": fault_list()})
        self._eye = Eye()

    def app(self, hosts: tuple[str, ...]) -> Starlette:
        """The application; `hosts` are the names that it answers to."""
        return Starlette(
            routes=[
                Route("/", self._home),
                Route("/facts.json", self._known),
                Route("/events", self._events),
                Route("/order", self._order, methods=["POST"]),
                Route("/picture.jpg", self._picture),
                Route("/assets/{name}", self._asset),
                Route("/export/{name}", self._export),
            ],
            middleware=[Middleware(Guard, hosts=hosts)],
            exception_handlers={HTTPException: _refused},
        )

    async def _home(self, _: Request) -> Response:
        return HTMLResponse(self._page)

    async def _known(self, _: Request) -> Response:
        return Response(self._facts, media_type="application/json")

    async def _asset(self, request: Request) -> Response:
        found = self._assets.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "no such file")
        return Response(found[0], media_type=found[1])

    async def _events(self, _: Request) -> Response:
        feed = self._director.feed
        browser = feed.subscribe(asyncio.get_running_loop())
        if browser is None:
            raise HTTPException(503, "too many pages look at this world: close one")
        events: AsyncIterator[str] = feed.events(browser)
        return StreamingResponse(events, media_type="text/event-stream")

    async def _order(self, request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_BYTES:
                raise HTTPException(413, f"an order has at most {MOST_BYTES} bytes")
        try:
            order = read_order(bytes(body))
        except WorldRefused as error:
            raise HTTPException(400, str(error)) from error
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._director.ask(order)), _WITHIN_S)
        except TimeoutError:
            raise HTTPException(504, "the world did not do it in time; is a program of it still starting?") from None
        except (RunError, EvidenceError, OSError) as error:
            raise HTTPException(409, str(error)) from error
        return JSONResponse({"ok": True})

    async def _picture(self, _: Request) -> Response:
        layout = self._director.layout
        data = None if layout is None else await asyncio.to_thread(self._eye.look, layout)
        if data is None:
            return Response(status_code=204)  # the sensor delivers none: nothing has failed here
        return Response(data, media_type="image/jpeg")

    async def _export(self, request: Request) -> Response:
        name = request.path_params["name"]
        path = self._out / "export" / name
        if _EXPORTED.fullmatch(name) is None or not path.is_file():
            raise HTTPException(404, "no such export")
        headers = {"Content-Security-Policy": _REPORT_POLICY} if name.endswith(".html") else None
        return FileResponse(path, headers=headers)


class Eye:
    """Asks the simulated camera for its picture, outside of all evidence; one question at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: LineSocket | None = None
        self._path: Path | None = None

    def look(self, layout: RunLayout) -> bytes | None:
        """A JPEG; None while there is no picture."""
        with self._lock:
            try:
                if self._lines is None or self._path != layout.hardware_socket:
                    self._drop()
                    self._lines, self._path = LineSocket(layout.hardware_socket), layout.hardware_socket
                self._lines.send(b'{"op":"picture"}')
                answer: dict[str, Any] = msgspec.json.decode(self._lines.receive())
            except (WorldRefused, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._drop()  # the camera is being started
                return None
            picture = answer.get("picture")
            return base64.b64decode(picture) if isinstance(picture, str) else None

    def _drop(self) -> None:
        if self._lines is not None:
            with contextlib.suppress(OSError):
                self._lines.close()
        self._lines = None


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for these only"
    return JSONResponse({"error": error.detail}, error.status_code)
