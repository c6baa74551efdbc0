"""The port that a station and its page listen on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from dock.errors import BadConfig
from dock.station.listening import listen


def test_the_end_of_an_answer_never_waits_for_the_clients_acknowledgement_of_its_beginning() -> None:
    async def talk() -> int:
        set_by_server: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def served(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            set_by_server.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listener = listen("127.0.0.1", 0)
        async with await asyncio.start_server(served, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            found = await set_by_server
            writer.close()
            await writer.wait_closed()
            return found

    assert asyncio.run(talk()) != 0


def test_a_port_that_another_program_holds_is_refused_with_the_settings_to_change() -> None:
    with listen("127.0.0.1", 0) as held:
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(BadConfig, match=rf"page\.listen_host 127\.0\.0\.1 and page\.listen_port {port}"):
            listen("127.0.0.1", port, table="page.")
