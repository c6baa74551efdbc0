"""The extended test of one camera (R37), run through the camera's own program, here or over SSH, and its report.

`fleet/` knows nothing of a recorder's insides: it runs ``firsthand-device selftest --extended --json`` and reads what
that prints, which is bounded and strictly parsed like everything that comes from another machine.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence.handover import LINE_BYTES, SelfTestDone, Status, answer_decoder
from evidence.statements import Frozen, Moment, Name, Serial
from fleet.errors import CheckFailed

PROGRAM: Final = "firsthand-device"
STATUS_S: Final = 60
TEST_S: Final = 1800
"""A person presses each button, and may look for it."""
_SSH: Final = re.compile(r"ssh:((?:[a-z_][a-z0-9_.-]{0,31}@)?[A-Za-z0-9][A-Za-z0-9.:-]{0,252})")

Text = Annotated[str, Meta(max_length=2000)]


class Row(Frozen, frozen=True, kw_only=True):
    """One line of the test, as the camera said it."""

    name: Name
    result: Literal["pass", "warn", "note", "fail", "not_present"]
    severity: Name
    value: Text
    limit: Text
    advice: Text
    duration_ms: Annotated[int, Meta(ge=0, le=10**9)]


class CheckReport(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="check-report"):
    """What is filed."""

    v: Literal[1]
    at: Moment
    """By the technician's computer."""
    technician: Name
    camera: Name
    """How it was reached."""
    serial: Serial
    model: Name
    firmware: Name
    profile_version: int | None
    battery_percent: int | None
    free_bytes: int | None
    verdict: Literal["pass", "warn", "block"]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Reached:
    """How a camera's own program is run."""

    prefix: tuple[str, ...] = ()
    """What stands before its words: ssh and its options."""
    socket: str | None = None

    def command(self, *words: str) -> list[str]:
        """The command line for a verb."""
        given = [*words, "--json", *(["--socket", self.socket] if self.socket else [])]
        if self.prefix:
            return [*self.prefix, shlex.join([PROGRAM, *given])]
        program = shutil.which(PROGRAM)
        if program is None:
            raise CheckFailed(f"{PROGRAM} is not on this computer: test the camera over the network, as ssh:USER@HOST")
        return [program, *given]


def reach(camera: str, identity: Path | None = None) -> Reached:
    """``local``, the path of a recorder's socket, or ``ssh:USER@HOST``. Raises `CheckFailed`."""
    if camera == "local":
        return Reached()
    if (found := _SSH.fullmatch(camera)) is not None:
        if shutil.which("ssh") is None:
            raise CheckFailed("ssh is missing: apt-get install openssh-client")
        # A new camera's host key is new too, and it lies on the technician's table; one that changed is refused.
        options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "StrictHostKeyChecking=accept-new"]
        key = ["-i", str(identity), "-o", "IdentitiesOnly=yes"] if identity else []
        return Reached(("ssh", *options, *key, "--", found[1]))
    if camera.startswith("ssh:") or not Path(camera).is_socket():
        raise CheckFailed(f"{camera[:100]!r} is no camera: say local, the path of its socket, or ssh:USER@HOST")
    return Reached(socket=str(Path(camera).resolve()))


def ask_status(reached: Reached) -> Status:
    """Who and how the camera is. Raises `CheckFailed`."""
    status, _ = _ask(reached.command("status"), (0,), STATUS_S)
    if not isinstance(status, Status):
        raise CheckFailed("the camera answered something else than its status: is its firmware another one?")
    return status


def run_test(reached: Reached, supervisor: str) -> tuple[SelfTestDone, tuple[Row, ...]]:
    """The extended test; what it asks of the person stands in the terminal meanwhile. Raises `CheckFailed`."""
    done, code = _ask(reached.command("selftest", "--extended", "--supervisor", supervisor), (0, 2), TEST_S)
    if not isinstance(done, SelfTestDone):
        raise CheckFailed("the camera answered something else than a self-test: is its firmware another one?")
    if (code == 2) != (done.verdict == "block"):
        raise CheckFailed(
            f"the camera's self-test says {done.verdict} and ends with {code}: is its firmware another one?"
        )
    try:
        rows = msgspec.convert(done.checks, tuple[Row, ...])
    except msgspec.ValidationError as error:
        raise CheckFailed(f"the camera's self-test has a row that cannot be read: {error}") from error
    if not rows:
        raise CheckFailed("the camera tested nothing: look at its log")
    return done, rows


def _ask(command: list[str], good: tuple[int, ...], timeout_s: int) -> tuple[object, int]:
    """Run a program whose prompts go to the terminal, and read its answer."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    except OSError as error:
        raise CheckFailed(f"{command[0]} cannot be run: {error.strerror}") from error
    try:
        data, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise CheckFailed(f"the camera did not answer within {timeout_s // 60} minutes: look at its lamps") from error
    finally:
        process.kill()
        process.wait()
    if process.returncode not in good:
        raise CheckFailed("the camera could not be asked, for the reason above: is it on, and do you have the right?")
    if len(data) > LINE_BYTES:
        raise CheckFailed("the camera's answer is larger than any of ours")
    try:
        return answer_decoder.decode(data), process.returncode
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CheckFailed(f"the camera's answer cannot be read: {error}") from error
