"""A control socket on an event loop: one JSON object a line in, one out; and the line to it from another program."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from simulator.run_errors import WorldRefused
from simulator.socket_lines import LineSocket

LINE_BYTES: Final = 64 * 1024
_T = TypeVar("_T")


async def serve_control(
    path: Path, decode: Callable[[bytes], _T], do: Callable[[_T], dict[str, Any]]
) -> asyncio.Server:
    """Listen at `path`: each line is decoded and done, and its facts, or a sentence why not, are answered.

    Raises OSError. `do` may raise `WorldRefused`; a line that makes no sense harms nobody.
    """
    path.unlink(missing_ok=True)  # noqa: ASYNC240 - one system call, at the start

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                try:
                    line = await reader.readline()
                except ValueError:
                    writer.write(_refusal(f"a line has at most {LINE_BYTES} bytes"))
                    break
                if not line.endswith(b"\n"):
                    break
                writer.write(_answer(line, decode, do))
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(peer, path, limit=LINE_BYTES)


def _answer(line: bytes, decode: Callable[[bytes], _T], do: Callable[[_T], dict[str, Any]]) -> bytes:
    try:
        return msgspec.json.encode({"ok": True, **do(decode(line))}) + b"\n"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _refusal(f"this makes no sense: {error}")
    except WorldRefused as error:
        return _refusal(str(error))


def _refusal(sentence: str) -> bytes:
    return msgspec.json.encode({"ok": False, "error": sentence}) + b"\n"


class ControlLine:
    """The other end. Connects at the first operation, and anew when the program was started again."""

    def __init__(self, path: Path, who: str) -> None:
        self._path = path
        self._who = who
        self._lines: LineSocket | None = None

    def ask(self, operation: msgspec.Struct) -> dict[str, Any]:
        """Have it done; the answer's facts. Raises `WorldRefused`."""
        fresh = self._lines is None
        try:
            answer = self._said(operation)
        except WorldRefused:
            self.close()
            if fresh:
                raise
            answer = self._said(operation)  # it was started again since
        if answer.pop("ok", None) is not True:
            raise WorldRefused(f"{self._who} refuses: {answer.get('error')}")
        return answer

    def _said(self, operation: msgspec.Struct) -> dict[str, Any]:
        if self._lines is None:
            self._lines = LineSocket(self._path)
        self._lines.send(msgspec.json.encode(operation))
        try:
            return msgspec.json.decode(self._lines.receive(), type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WorldRefused(f"{self._who} answers nonsense: {error}") from error

    def close(self) -> None:
        """End the line. May be called twice."""
        if self._lines is not None:
            self._lines.close()
            self._lines = None


async def until_cancelled(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end; SIGTERM and SIGINT end it in order."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
