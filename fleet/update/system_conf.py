"""RAUC's configuration on a camera: `/etc/rauc/system.conf`, part of the read-only system.

What RAUC trusts is no file of the image: the installer writes it from each manifest that it has checked, with the
release authority only. Under the root alone every signer of the agency, each camera's evidence key too, could sign a
bundle.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from fleet.update.bundle import compatible
from fleet.update.errors import BadUpdate
from fleet.update.kept import Places

BOOT_CHOICE: Final = "/usr/lib/firsthand/boot-choice"
STATUS: Final = "/var/lib/firsthand/update/rauc.status"
_CARD: Final = re.compile(r"/dev/[A-Za-z0-9/_-]{1,100}", re.ASCII)
_PARTITIONS: Final = {("boot", 0): 2, ("boot", 1): 3, ("rootfs", 0): 5, ("rootfs", 1): 6}


def system_conf(board: str, card: str) -> str:
    """The file for a board. `card` and a partition's number are a device: `/dev/mmcblk0p`. Raises `BadUpdate`."""
    if _CARD.fullmatch(card) is None:
        raise BadUpdate(f"{card[:80]!r}: give the card's devices without the partition's number, as /dev/mmcblk0p")
    devices = {slot: f"{card}{number}" for slot, number in _PARTITIONS.items()}
    return text_of(board, devices)


def text_of(
    board: str,
    devices: dict[tuple[str, int], str],
    *,
    handler: str = BOOT_CHOICE,
    status: str = STATUS,
    keyring: Path | None = None,
    form: str = "verity",
    mounts: str = "/run/rauc",
) -> str:
    """The file with other places too, for a bench. Raises `BadUpdate`."""
    lines = [
        "# Written by firsthand-fleet rauc-config; see docs/design/updates.md.",
        "[system]",
        f"compatible={compatible(board)}",
        "bootloader=custom",
        f"bundle-formats={form}",
        f"mountprefix={mounts}",
        f"statusfile={status}",
        "",
        "[keyring]",
        f"path={keyring or Places().keyring}",
        "allow-partial-chain=true",
        "use-bundle-signing-time=true",
        "",
        "[handlers]",
        f"bootloader-custom-backend={handler}",
    ]
    for number, name in ((0, "A"), (1, "B")):
        lines += ["", f"[slot.boot.{number}]", f"device={devices['boot', number]}", "type=raw", f"bootname={name}"]
        lines += ["", f"[slot.rootfs.{number}]", f"device={devices['rootfs', number]}", "type=raw"]
        lines += [f"parent=boot.{number}"]
    return "\n".join(lines) + "\n"
