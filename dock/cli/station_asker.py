"""How a verb gets something done at the station: by the running one over its socket, else in its directory itself."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final

import msgspec

from dock.admin_words import ANSWER_BYTES, AdminRequest, answer_decoder, connect
from dock.config import StationConfig
from dock.errors import StationDown, StationSaysNo

TIMEOUT_S: Final = 120.0


def ask_running(
    config: StationConfig, verb: str, arguments: dict[str, Any], who: str | None = None, *, timeout_s: float = TIMEOUT_S
) -> dict[str, Any]:
    """The running station's result. Raises `StationDown` if none runs, `StationSaysNo` with its sentence."""
    line = msgspec.json.encode(AdminRequest(verb=verb, who=who, arguments=arguments)) + b"\n"
    try:
        with connect(config.directory, timeout_s) as ours, ours.makefile("rb") as answers:
            ours.sendall(line)
            data = answers.readline(ANSWER_BYTES + 1)
    except PermissionError as error:
        raise StationSaysNo(f"you may not ask the station in {config.directory}: {error.strerror}") from error
    except OSError as error:
        raise StationDown(f"no station runs in {config.directory}: {error}") from error
    if not data.endswith(b"\n"):
        raise StationSaysNo("the station went away before it answered: look whether it was done, then ask again")
    try:
        answer = answer_decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise StationSaysNo(f"the station's answer makes no sense: {error}") from error
    if answer.error is not None:
        raise StationSaysNo(answer.error)
    return answer.result


def ask(
    config: StationConfig, verb: str, arguments: dict[str, Any], who: str | None = None, *, timeout_s: float = TIMEOUT_S
) -> dict[str, Any]:
    """The same, whether the station runs or not.

    Raises `StationSaysNo`; without a running station whatever the verb raises: `DockError`, `EvidenceError`, OSError.
    """
    try:
        return ask_running(config, verb, arguments, who, timeout_s=timeout_s)
    except StationDown:
        return asyncio.run(_here(config, verb, arguments, who))


async def _here(config: StationConfig, verb: str, arguments: dict[str, Any], who: str | None) -> dict[str, Any]:
    """No station runs: do it in its directory. Only the part whose verb it is was begun."""
    from dock.station.admin import actor, call, user_name
    from dock.station.opening import open_station

    with open_station(config) as station:
        for part in station.parts:
            if verb in part.admin_verbs():
                await part.begin()
        return await asyncio.to_thread(call, station, verb, arguments, actor(user_name(os.geteuid()), who))
