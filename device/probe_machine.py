"""`probe`: the computer itself, its card, and what the kernel gives without any wiring."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from device.board import Board
from device.probe_tree import Finding, Tree

MODEL: Final = "/proc/device-tree/model"
CMDLINE: Final = "/proc/cmdline"


def model_of(tree: Tree) -> str | None:
    """What the device tree calls the machine; None on a computer without one."""
    return tree.word(MODEL)


def machine(board: Board, tree: Tree) -> Iterator[Finding]:
    """Is it the right computer, with enough memory?"""
    model, wanted = model_of(tree), board.facts.machines
    if not wanted:
        yield Finding("computer", "found", model or "a computer without a device tree")
    elif model is None:
        yield Finding(
            "computer", "missing", f"no Raspberry Pi; this board is a {wanted[0]}", "run `probe` on the board itself"
        )
    elif any(model.startswith(one) for one in wanted):
        yield Finding("computer", "found", model)
    else:
        yield Finding(
            "computer",
            "missing",
            f"{model}; this board is a {wanted[0]}",
            "give the right --board, or another computer",
        )
    yield _memory(board, tree)
    yield from _supply(tree)


def _memory(board: Board, tree: Tree) -> Finding:
    found = re.search(r"^MemTotal:\s+([0-9]{1,12}) kB", tree.text("/proc/meminfo") or "", re.MULTILINE)
    if found is None:
        return Finding("memory", "check", "not known", "")
    mib, wanted = int(found[1]) // 1024, board.facts.memory_mib
    if mib >= wanted:
        return Finding("memory", "found", f"{mib} MiB")
    return Finding(
        "memory",
        "missing",
        f"{mib} MiB, and this board needs {wanted}",
        "is it the model with more memory? else lower gpu_mem and cma in config.txt",
    )


def _supply(tree: Tree) -> Iterator[Finding]:
    """The Raspberry Pi's own watch over its 5 V."""
    for entry, name in tree.named("/sys/class/hwmon", r"hwmon[0-9]+"):
        if name == "rpi_volt" and tree.number(f"/sys/class/hwmon/{entry}/in0_lcrit_alarm") == 1:
            yield Finding(
                "5 V supply",
                "check",
                "was below 4.63 V since the start",
                "use a shorter or thicker supply cable, or a stronger supply: a camera that sags loses recordings",
            )


def storage(tree: Tree) -> Iterator[Finding]:
    """The SD card or eMMC, and how old or worn it is by its own word."""
    cards = tree.entries("/sys/block", r"mmcblk[0-9]+")
    if not cards:
        yield Finding("card", "none", "no SD card and no eMMC: this computer has another disk")
    for card in cards:
        device = f"/sys/block/{card}/device"
        kind = {"SD": "SD card", "MMC": "eMMC"}.get(tree.word(f"{device}/type") or "", "card")
        sectors = tree.number(f"/sys/block/{card}/size") or 0
        words = [kind, tree.word(f"{device}/name") or "", f"{sectors * 512 / 1e9:.1f} GB"]
        date = tree.word(f"{device}/date")
        words += [f"made {date}"] if date else []
        worn = [int(one, 16) for one in re.findall(r"0x[0-9a-fA-F]{2}", tree.word(f"{device}/life_time") or "")]
        said = ", ".join(one for one in words if one)
        if worn and max(worn) >= 9:
            yield Finding("card", "check", f"{said}; at least 80 % worn", "replace the board before it fails on duty")
        else:
            yield Finding("card", "found", said)


def kernel_parts(board: Board, tree: Tree) -> Iterator[Finding]:
    """Heat, clock, watchdog and lamps of the computer."""
    yield _zones(board, tree)
    clocks = [said for _, said in tree.named("/sys/class/rtc", r"rtc[0-9]+")]
    if clocks:
        yield Finding("clock", "found", f"battery-backed clock {clocks[0]}")
    else:
        yield Finding(
            "clock",
            "check",
            "no battery-backed clock: after a power cut the time is unknown until GPS or the dock tells it",
            "add a clock, a DS3231 on I2C say, with dtoverlay=i2c-rtc,ds3231 in config.txt",
        )
    dogs = [said for _, said in tree.named("/sys/class/watchdog", r"watchdog[0-9]+", "identity")]
    if dogs or tree.exists("/dev/watchdog0"):
        yield Finding("watchdog", "found", dogs[0] if dogs else "/dev/watchdog0")
    else:
        yield Finding(
            "watchdog",
            "check",
            "none: a kernel that hangs stays so until somebody switches the camera off and on",
            "add dtparam=watchdog=on to config.txt; on other computers load the module of the chipset",
        )
    yield lamps(tree)


def lamps(tree: Tree) -> Finding:
    """Lamps on the computer itself: where they are, they blink with the card until a program takes them.

    A keyboard's are not among them.
    """
    names = tree.entries("/sys/class/leds", r"(?!input)[A-Za-z0-9:_-]{1,32}")
    return Finding("own lamps", "found" if names else "none", ", ".join(names[:4]) or "none that the kernel drives")


def _zones(board: Board, tree: Tree) -> Finding:
    folder, read = "/sys/class/thermal", []
    for zone, kind in tree.named(folder, r"thermal_zone[0-9]+", "type"):
        millidegrees = tree.number(f"{folder}/{zone}/temp")
        if millidegrees is not None:
            read.append(f"{kind} {millidegrees / 1000:.0f} °C")
    if read:
        return Finding("heat", "found", ", ".join(read[:3]))
    wanted = board.driver("thermal") is not None
    return Finding(
        "heat",
        "check" if wanted else "none",
        "no thermal zone answers: the camera cannot slow down before it gets too hot",
        "a Raspberry Pi's kernel has one; a virtual machine or a container has not" if wanted else "",
    )


def console_on(port: str, tree: Tree) -> str | None:
    """The kernel's argument that puts its console on a serial port, or None."""
    aliases = {port.removeprefix("/dev/"), *(("serial0",) if port.startswith("/dev/tty") else ())}
    for word in (tree.text(CMDLINE) or "").split():
        if word.startswith("console=") and word.removeprefix("console=").split(",")[0] in aliases:
            return word[:40]
    return None
