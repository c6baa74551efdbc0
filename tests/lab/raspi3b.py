"""By hand, part (d) of the lab: the arm64 image on qemu's Raspberry Pi 3 B, as far as that has a Pi's parts.

    sudo make image BOARD=bodycam-zero2w IMAGE_OPTIONS=--raw
    PYTHONPATH=.:tests/lab python tests/lab/raspi3b.py build/image

qemu has this board's processor, interrupt controller, card interface, serial ports, pins and watchdog; no video
processor, so no firmware (tests/lab/firmware.py plays it), no camera, no encoder. The device
tree of the 3 B is the kernel's own.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import firmware

QEMU = "qemu-system-aarch64"
CONSOLE = "console=ttyS1,115200 systemd.show_status=1 loglevel=5"
CARD_BYTES = 1 << 32
"""qemu takes cards whose size is a power of two only."""


def device_tree(squashfs: Path, out: Path) -> Path:
    """The 3 B's, from the kernel's package in the root."""
    listed = subprocess.run(["unsquashfs", "-l", str(squashfs)], capture_output=True, text=True, check=True).stdout
    (name,) = (line for line in listed.splitlines() if line.endswith("/broadcom/bcm2837-rpi-3-b.dtb"))
    inside = name.removeprefix("squashfs-root/")
    with out.open("wb") as file:
        subprocess.run(["unsquashfs", "-cat", str(squashfs), inside], stdout=file, check=True)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, metavar="DIR", help="where `image build --raw` left an arm64 image")
    parser.add_argument("--seconds", type=float, default=900.0, help="give up after (default %(default)s)")
    arguments = parser.parse_args()
    if shutil.which(QEMU) is None:
        sys.exit(f"{QEMU} is missing; run: sudo apt-get install qemu-system-arm")
    (image,) = arguments.images.glob("firsthand-*.img")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        scratch = Path(place)
        card = scratch / "card.img"
        subprocess.run(["cp", "--sparse=always", str(image), str(card)], check=True)
        with card.open("r+b") as file:
            file.truncate(CARD_BYTES)
        boot = firmware.boot(card, scratch, board="pi02")
        print(f"slot {boot.slot}: {boot.append}")
        tree = device_tree(image.with_name(image.name.removesuffix(".img") + ".rootfs.squashfs"), scratch / "dtb")
        log = scratch / "console"
        command = [QEMU, "-M", "raspi3b", "-display", "none", "-no-reboot", "-serial", "null", "-serial", f"file:{log}",
                   "-dtb", str(tree), "-drive", f"file={card},format=raw,if=sd",
                   *boot.qemu()[:-1], f"{boot.append} {CONSOLE}"]  # fmt: skip
        begun = time.monotonic()
        machine = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        seen = 0
        try:
            while machine.poll() is None and time.monotonic() - begun < arguments.seconds:
                text = log.read_text("utf-8", "replace") if log.exists() else ""
                print(text[seen:], end="", flush=True)
                seen = len(text)
                if re.search(r"Reached target .*multi-user", text):
                    print(f"\nmulti-user after {time.monotonic() - begun:.0f} s")
                    return 0
                time.sleep(1)
        finally:
            machine.kill()
            machine.wait()
    print("\nnot booted")
    return 1


if __name__ == "__main__":
    sys.exit(main())
