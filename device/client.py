"""The technicians' side of the daemon's socket."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import msgspec

from device.errors import DeviceError
from evidence.handover import (
    LINE_BYTES,
    Answer,
    Done,
    EventsRequest,
    MarkRequest,
    Refused,
    Request,
    SelfTestDone,
    SelfTestRequest,
    Status,
    StatusRequest,
    answer_decoder,
)

REQUESTS: dict[str, Request] = {
    "status": StatusRequest(),
    "selftest": SelfTestRequest(),
    "events": EventsRequest(),
    "mark": MarkRequest(),
}


class CannotReach(DeviceError):
    """The daemon does not answer."""


def ask(verb: str, path: Path, *, as_json: bool) -> int:
    """Send one request and print the answer; 0 done, 1 refused. Raises `CannotReach`."""
    request = REQUESTS[verb]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(path))
            connection.sendall(msgspec.json.encode(request) + b"\n")
            with connection.makefile("rb") as lines:
                answer = _read(lines.readline(LINE_BYTES))
                code = _show(answer, as_json=as_json)
                if verb == "events" and code == 0:
                    while line := lines.readline(LINE_BYTES):
                        print(line.decode().rstrip(), flush=True)
                return code
    except OSError as error:
        raise CannotReach(
            f"no daemon answers at {path}: {error.strerror or error}; is firsthand-device running?"
        ) from error


def _read(line: bytes) -> Answer:
    try:
        answer: Answer = answer_decoder.decode(line)
    except msgspec.DecodeError as error:
        raise CannotReach(f"the daemon's answer cannot be read: {error}") from error
    return answer


def _show(answer: Answer, *, as_json: bool) -> int:
    if isinstance(answer, Refused):
        print(f"firsthand-device: {answer.error}", file=sys.stderr)
        return 1
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(answer)).decode())
    elif isinstance(answer, Status):
        _show_status(answer)
    elif isinstance(answer, SelfTestDone):
        for row in answer.checks:
            print(f"{row['name']:<12} {row['result']:<12} {row['value']}  (wanted: {row['limit']})")
        print(f"verdict: {answer.verdict}")
    elif isinstance(answer, Done):
        print("done", flush=True)
    return 0


def _show_status(status: Status) -> None:
    print(f"camera     {status.serial}  {status.model}, firmware {status.firmware}")
    print(f"state      {status.state}{' (docked)' if status.docked else ''}{', degraded' if status.degraded else ''}")
    print(f"recording  {status.recording or 'nothing'}")
    print(f"self-test  {status.self_test or 'not done'}")
    battery = "unknown" if status.battery_percent is None else f"{status.battery_percent} %"
    print(f"battery    {battery}")
    if status.free_bytes is not None:
        print(f"storage    {status.free_bytes // 2**20} MiB free")
    if status.buffered_s is not None:
        print(f"pre-event  {status.buffered_s:.1f} s in the ring")
    print(f"up         {status.uptime_s} s")
