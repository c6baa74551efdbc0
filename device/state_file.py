"""Small files in the state directory: read strictly and within a limit, written durably, in one place.

What a camera keeps between boots is a help, never a condition: whoever reads decides what follows from a file that
cannot be read, and recording never waits for one that cannot be written (invariants 1 and 13).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from device.errors import DeviceError
from evidence import durable

STATE_BYTES: Final = 64 * 1024
T = TypeVar("T")


class StateUnreadable(DeviceError, ValueError):
    """A state file is there and cannot be used; the message names it and says why."""


def read_state(path: Path, kind: Any, limit_bytes: int = STATE_BYTES) -> Any:
    """The file's content as `kind` (a msgspec type); None if there is no such file. Raises `StateUnreadable`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit_bytes + 1)
        if len(data) > limit_bytes:
            raise StateUnreadable(f"{path.name} cannot be read (larger than {limit_bytes} bytes)")
        return msgspec.json.decode(data, type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StateUnreadable(f"{path.name} cannot be read ({error})") from error


def write_state(path: Path, value: Any) -> None:
    """Make it durable; the directory is made if need be. May block. Raises OSError."""
    durable.make_directory(path.parent)
    durable.replace(path, msgspec.json.encode(value))
