"""Runs the installer of an update between the recorder's `began` and `ended`; a recording that begins ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dock.agent.recorder_client import RecorderClient
from dock.agent.watch import RECORDER_TROUBLE, CameraWatch

log = logging.getLogger(__name__)
_END_S: Final = 10.0
"""How long an installer may take to end after SIGTERM, before it is killed."""


@dataclass(frozen=True, slots=True)
class Installed:
    """How it ended."""

    aborted: bool = False
    trouble: str | None = None


class Installer:
    """One program, called as ``PROGRAM BUNDLE MANIFEST``. Exit status 0: it runs from the next start on."""

    def __init__(self, program: Path, recorder: RecorderClient, watch: CameraWatch, *, most_s: float) -> None:
        self._program = program
        self._recorder = recorder
        self._watch = watch
        self._most_s = most_s

    async def run(self, bundle: Path, manifest: Path) -> Installed:
        """Raises one of `RECORDER_TROUBLE` if the recorder does not allow it now; then nothing was started."""
        await self._recorder.update("began")
        aborted = False
        try:
            process = await asyncio.create_subprocess_exec(
                self._program, bundle, manifest, stderr=asyncio.subprocess.PIPE
            )
        except OSError as error:
            return Installed(trouble=f"the installer {self._program} cannot be started: {error.strerror}")
        else:
            work, words = asyncio.create_task(process.wait()), asyncio.create_task(_last_words(process))
            abort = asyncio.create_task(self._watch.until(self._must_stop))
            try:
                await asyncio.wait({work, abort}, timeout=self._most_s, return_when=asyncio.FIRST_COMPLETED)
                aborted = abort.done()
            finally:
                abort.cancel()
                await _end(process)
                words.cancel()
            if aborted:
                return Installed(aborted=True)
            if not work.done() or process.returncode != 0:
                said = words.result() if words.done() and not words.cancelled() else ""
                return Installed(trouble=said or f"the installer ended with status {process.returncode}")
            return Installed()
        finally:
            with contextlib.suppress(*RECORDER_TROUBLE):  # an aborted update is over for the recorder already
                await self._recorder.update("ended")

    def _must_stop(self) -> bool:
        status = self._watch.status
        return status is not None and (status.recording is not None or status.state == "recording" or not status.docked)


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """The last sentence that the installer says of itself."""
    said = b""
    assert process.stderr is not None
    while piece := await process.stderr.read(4096):
        said = (said + piece)[-4096:]
    lines = said.decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        log.error("the installer does not end: it is killed")
        process.kill()
        await process.wait()
