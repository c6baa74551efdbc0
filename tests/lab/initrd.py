"""The lab's initial RAM disk: busybox, the disks' drivers, and a script that mounts the root and goes on there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from fleet.image.debian_root import CannotBuild

_DIRECTORY: Final = 0o040755
_PROGRAM: Final = 0o100755
_FILE: Final = 0o100644
_LINK: Final = 0o120777
_INIT: Final = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module" 2>/dev/null; done < /modules/order
for word in $(cat /proc/cmdline); do
  case "$word" in root=*) root=${word#root=} ;; rootfstype=*) type=${word#rootfstype=} ;; esac
done
waited=0
until [ -b "$root" ]; do
  waited=$((waited + 1))
  [ "$waited" -gt 200 ] && { echo "initrd: no $root among: $(ls /dev/vd* 2>&1)"; poweroff -f; }
  usleep 50000
done
mount -t "${type:-ext4}" -o ro "$root" /root || { echo "initrd: cannot mount $root"; poweroff -f; }
mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
exec switch_root /root /sbin/init
"""


def make_initrd(path: Path, modules: Iterable[Path]) -> Path:
    """Write it to `path`. `modules` go in in their order; one that the processor cannot use is passed over."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise CannotBuild("busybox is missing; run: sudo apt-get install busybox-static")
    archive = _Archive()
    for name in ("bin", "proc", "sys", "dev", "root", "modules"):
        archive.add(name, _DIRECTORY)
    archive.add("bin/busybox", _PROGRAM, Path(busybox).read_bytes())
    archive.add("bin/sh", _LINK, b"busybox")
    archive.add("init", _PROGRAM, _INIT.encode())
    names = []
    for module in modules:
        archive.add(f"modules/{module.name}", _FILE, module.read_bytes())
        names.append(module.name)
    archive.add("modules/order", _FILE, "".join(f"{name}\n" for name in names).encode())
    path.write_bytes(archive.whole())
    return path


class _Archive:
    """A cpio archive in the "newc" form, which the kernel unpacks (Documentation/driver-api/early-userspace)."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._number = 0

    def add(self, name: str, mode: int, data: bytes = b"") -> None:
        self._number += 1
        links = 2 if mode == _DIRECTORY else 1
        encoded = name.encode() + b"\0"
        fields = (self._number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        self._data += b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self._pad()
        self._data += data
        self._pad()

    def whole(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return bytes(self._data)

    def _pad(self) -> None:
        self._data += b"\0" * (-len(self._data) % 4)
