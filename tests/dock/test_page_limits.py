"""What the dock page takes at most: streams, tries to log in, patience with slow browsers; and how it ends (R33)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import uvicorn
from page_bench import PASSWORD, Bench, open_bench
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dock.station.page import patience


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    opened = open_bench(tmp_path, cameras=1, page="live_streams = 4\nwall = true")
    yield opened
    opened.close()


def test_streams_are_bounded_and_tries_to_log_in_too_and_the_station_stops_under_open_streams(bench: Bench) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(bench.client())
        streams = [stack.enter_context(client.stream("GET", "/wall/live")) for _ in range(2)]
        assert [one.status_code for one in streams] == [200, 200]
        events = streams[0].iter_lines()
        assert next(events) == "retry: 2000"
        refused = client.get("/wall/live")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        streams[1].close()

        token = client.get("/login").text.partition('name="csrf" value="')[2].partition('"')[0]
        form = {"csrf": token, "person": "../..", "password": "x"}
        answers = [client.post("/login", data={**form, "csrf": client.cookies["__Host-firsthand-login"]})]
        while answers[-1].status_code == 403 and len(answers) < 40:
            answers.append(client.post("/login", data={**form, "csrf": client.cookies["__Host-firsthand-login"]}))
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) > 0
        assert "Too many tries from this address" in answers[-1].text
        right = {"csrf": client.cookies["__Host-firsthand-login"], "person": "ofc1", "password": PASSWORD}
        assert client.post("/login", data=right).status_code == 429

        bench.report("SIM-0001")
        assert any("SIM-0001" in line for line in events)
        bench.told.pop("SIM-0001").close()
        assert bench.station.stop() == 0  # while a stream is open
        with contextlib.suppress(httpx.TransportError):
            assert list(events) is not None


def test_a_browser_that_does_not_finish_its_headers_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEADER_S", 1.5)

    async def slow(_: Request) -> PlainTextResponse:
        await asyncio.sleep(2.0)  # an answer may take longer than a question
        return PlainTextResponse("done")

    async def go() -> tuple[bytes, bytes, bytes]:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        app = Starlette(routes=[Route("/", slow)])
        config = uvicorn.Config(app, http=patience.PatientProtocol, ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        monkeypatch.setattr(server, "capture_signals", contextlib.nullcontext)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        whole = b"GET / HTTP/1.1\r\nHost: dock\r\n\r\n"
        said = await asyncio.gather(_say(port, b""), _say(port, whole[:20]), _say(port, whole + whole[:9]))
        server.should_exit = True
        await serving
        return said[0], said[1], said[2]

    silent, torn, twice = asyncio.run(go())
    assert silent == b""
    assert torn == b""
    assert twice.endswith(b"done")


async def _say(port: int, data: bytes) -> bytes:
    """All that is answered until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = b""
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(4096):
                answer += piece
    writer.close()
    return answer
