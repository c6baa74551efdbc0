"""The simulated network: what the model promises, and what two programs feel through the relay (R6, R30)."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from simulator.link_model import LEAST_STALL_S, PACKET_BYTES, PERFECT, Conditions, Way, Wire
from simulator.network import Network, network_control, ports_of
from simulator.network_words import NetworkControl
from simulator.relay import HOST
from simulator.run_errors import WorldRefused

WAIT_S = 120
MIB = 2**20


# --- the model --------------------------------------------------------------------------------------------------------


def test_a_perfect_link_takes_no_time() -> None:
    way = Way(1)
    assert [way.arrives_s(at, MIB, PERFECT) for at in (0.0, 1.0, 1.0)] == [0.0, 1.0, 1.0]


def test_rate_and_latency_add_up_and_the_next_bytes_wait_for_the_line() -> None:
    way = Way(1)
    slow = Conditions(latency_s=0.5, bytes_per_s=1000)
    assert way.arrives_s(10.0, 2000, slow) == pytest.approx(12.5)
    assert way.arrives_s(10.0, 1000, slow) == pytest.approx(13.5), "latency overlaps, sending does not"


def test_connections_share_the_rate_of_the_wire() -> None:
    wire, slow = Wire(), Conditions(bytes_per_s=1000)
    first, second = Way(1, wire), Way(2, wire)
    assert first.arrives_s(0.0, 1000, slow) == pytest.approx(1.0)
    assert second.arrives_s(0.0, 1000, slow) == pytest.approx(2.0)


def test_nothing_overtakes_whatever_the_jitter() -> None:
    way = Way(7)
    arrivals = [way.arrives_s(n / 1000, 100, Conditions(jitter_s=0.5)) for n in range(500)]
    assert arrivals == sorted(arrivals)
    assert max(after - n / 1000 for n, after in enumerate(arrivals)) <= 0.5


def test_loss_stalls_by_its_share_and_the_same_seed_stalls_alike() -> None:
    packets, lossy = 20_000, Conditions(loss=0.01)

    def stalled(seed: int) -> float:
        return Way(seed).arrives_s(0.0, packets * PACKET_BYTES, lossy)

    # Each lost packet costs one stall, the rare one that is lost again twice as much.
    assert stalled(1) == pytest.approx(packets * 0.01 * LEAST_STALL_S, rel=0.25)
    assert stalled(1) == stalled(1)
    assert stalled(1) != stalled(2)


# --- the relay --------------------------------------------------------------------------------------------------------


class Far:
    """A program behind the link: keeps what it hears, and says it again."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.ends: list[str] = []
        self.connections = 0

    async def serve(self) -> int:
        self._server = await asyncio.start_server(self._peer, HOST, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _peer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while data := await reader.read(65_536):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.ends.append("farewell")
            writer.close()
        except OSError:
            self.ends.append("torn")

    def close(self) -> None:
        self._server.close()


def through(test: Callable[[NetworkControl, Network, Far], Awaitable[None]]) -> None:
    """A program, and one link to it."""

    async def whole() -> None:
        far = Far()
        network = Network({"station": await far.serve()}, seed=3)
        await network.start()
        try:
            async with asyncio.timeout(WAIT_S):
                await test(NetworkControl(network), network, far)
        finally:
            await network.stop()
            far.close()

    asyncio.run(whole())


async def until(what: Callable[[], bool]) -> None:
    while not what():  # noqa: ASYNC110 - what we wait for knows no events
        await asyncio.sleep(0.005)


def test_every_byte_passes_unchanged_both_ways_and_the_farewell_too() -> None:
    async def test(control: NetworkControl, network: Network, far: Far) -> None:
        data = bytes(range(256)) * 8192
        reader, writer = await asyncio.open_connection(HOST, network.ports["station"])
        writer.write(data)
        writer.write_eof()
        assert await reader.read(-1) == data
        assert far.heard == data
        await until(lambda: control.counts("station")["open"] == 0)
        counts = control.counts("station")
        assert (counts["up_bytes"], counts["down_bytes"], counts["connections"]) == (len(data), len(data), 1)
        assert far.ends == ["farewell"]
        writer.close()

    through(test)


def test_latency_is_felt_there_and_back() -> None:
    async def test(control: NetworkControl, network: Network, _far: Far) -> None:
        control.shape("station", latency_ms=150)
        reader, writer = await asyncio.open_connection(HOST, network.ports["station"])
        began = asyncio.get_running_loop().time()
        writer.write(b"ping")
        await reader.readexactly(4)
        assert asyncio.get_running_loop().time() - began >= 0.29
        writer.close()

    through(test)


def test_a_cut_line_tears_what_is_open_refuses_what_comes_and_comes_back() -> None:
    async def test(control: NetworkControl, network: Network, far: Far) -> None:
        port = network.ports["station"]
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"hello")
        await reader.readexactly(5)
        control.cut("station")
        with pytest.raises(ConnectionError):
            await reader.readexactly(1)
        await until(lambda: bool(far.ends))
        assert far.ends == ["torn"]
        reader, writer = await asyncio.open_connection(HOST, port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        assert control.counts("station")["refused"] == 1
        control.restore("station")
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"again")
        assert await reader.readexactly(5) == b"again"
        writer.close()

    through(test)


def test_a_silent_line_keeps_the_connection_and_every_byte_for_later() -> None:
    async def test(control: NetworkControl, network: Network, far: Far) -> None:
        reader, writer = await asyncio.open_connection(HOST, network.ports["station"])
        writer.write(b"one")
        await reader.readexactly(3)
        control.silence("station")
        writer.write(b"two")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(3), 0.2)
        assert far.heard == b"one"
        control.restore("station")
        assert await reader.readexactly(3) == b"two"
        writer.close()

    through(test)


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_reset_comes_at_exactly_that_byte(size: int) -> None:
    async def test(control: NetworkControl, network: Network, far: Far) -> None:
        control.happen("station", "reset", after_bytes=size)
        reader, writer = await asyncio.open_connection(HOST, network.ports["station"])
        writer.write(bytes(200_000))
        with pytest.raises(ConnectionError):
            await reader.readexactly(200_001)
        await until(lambda: bool(far.ends))
        assert len(far.heard) <= size, "an RST may overtake what the other side had not read yet"
        assert control.counts("station")["up_bytes"] == size
        reader, writer = await asyncio.open_connection(HOST, network.ports["station"])
        writer.write(b"it happens once")
        assert await reader.readexactly(15) == b"it happens once"
        writer.close()

    through(test)


def test_a_half_open_connection_takes_bytes_and_never_answers() -> None:
    async def test(control: NetworkControl, network: Network, far: Far) -> None:
        reader, writer = await asyncio.open_connection(HOST, network.ports["station"])
        writer.write(b"one")
        await reader.readexactly(3)
        control.happen("station", "half_open")
        await until(lambda: bool(far.ends))
        writer.write(bytes(300_000))
        await writer.drain()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        assert far.heard == b"one"
        other, again = await asyncio.open_connection(HOST, network.ports["station"])
        again.write(b"back")
        assert await other.readexactly(4) == b"back", "the program itself is there again"
        writer.close()
        again.close()

    through(test)


def test_another_program_may_answer_behind_the_same_address() -> None:
    async def test(control: NetworkControl, network: Network, far: Far) -> None:
        second = Far()
        control.aim("station", await second.serve())
        reader, writer = await asyncio.open_connection(HOST, network.ports["station"])
        writer.write(b"who")
        await reader.readexactly(3)
        assert (far.connections, second.connections) == (0, 1)
        writer.close()
        second.close()

    through(test)


# --- the process ------------------------------------------------------------------------------------------------------


def test_the_process_is_commanded_over_its_socket_and_refuses_nonsense_with_a_sentence(tmp_path: Path) -> None:
    socket = tmp_path / "network.sock"
    words = ["--control", str(socket), "--link", "station=9", "--link", "broker=10"]
    process = subprocess.Popen([sys.executable, "-m", "simulator.network", *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert set(ports_of(process.stdout.readline())) == {"station", "broker"}
        control = network_control(socket)
        control.shape("station", latency_ms=20, loss_percent=1)
        assert control.counts("station")["connections"] == 0
        with pytest.raises(WorldRefused, match="no link 'dock'; known are station, broker"):
            control.cut("dock")
        with pytest.raises(WorldRefused, match="makes no sense"):
            control.shape("station", loss_percent=101)
        assert control.counts("broker")["open"] == 0, "the line still works"
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.wait()
