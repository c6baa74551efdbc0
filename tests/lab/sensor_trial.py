"""Tries the sensors' drivers of the installed package on the lab's board, one after the other; tells it in JSON.

Runs in the machine as root. What it loses on purpose it loses as the kernel does: a bus whose driver is taken away, a
sound card that is unbound while it is read, a reader that lost the processor for longer than the card can wait.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append("/usr/lib/firsthand/site")

from smbus2 import SMBus

from hal import alsa_capture
from hal.battery_max1704x import CRATE, SOC, VCELL, VERSION, Max1704xBattery
from hal.battery_power_supply import PowerSupplyBattery
from hal.errors import HalError
from hal.microphone import EncodedSound
from hal.microphone_alsa import AlsaMicrophone
from hal.watchdog import find_watchdog

HERE = Path(__file__).parent
CHIP = 0x36
SOUND_CARDS = Path("/sys/bus/platform/drivers/snd_aloop")


def stub_bus(*, there: bool) -> int:
    """Plug the simulated chip in or out; the number of its bus."""
    if not there:
        subprocess.run(["rmmod", "i2c-stub"], check=True)
        return -1
    subprocess.run(["insmod", HERE / "i2c-stub.ko", f"chip_addr={CHIP:#x}"], check=True)
    for adapter in Path("/sys/class/i2c-dev").iterdir():
        if "stub" in (adapter / "name").read_text():
            return int(adapter.name.removeprefix("i2c-"))
    raise LookupError("no bus of i2c-stub")


def write(bus: int, words: dict[int, int]) -> None:
    with SMBus(bus) as line:
        for register, word in words.items():
            line.write_word_data(CHIP, register, (word & 0xFF) << 8 | word >> 8)


def sentence(read: Callable[[], object]) -> str:
    """What a driver says of a loss; empty if it says nothing."""
    try:
        read()
    except HalError as error:
        return str(error)
    return ""


def gauge() -> dict[str, Any]:
    subprocess.run(["insmod", HERE / "i2c-dev.ko"], check=True)
    bus = stub_bus(there=True)
    registers = {VERSION: 0x0012, VCELL: 0xBF00, SOC: 64 * 256, CRATE: 0x10000 - 48}
    write(bus, registers)
    battery = Max1704xBattery(bus=bus)
    reading = battery.read()
    write(bus, {VCELL: 0xFFFF})
    garbled = sentence(battery.read)
    battery._close()  # a bus that is open cannot be taken away
    stub_bus(there=False)
    late = Max1704xBattery(bus=bus)
    unplugged = sentence(late.read)
    assert stub_bus(there=True) == bus
    write(bus, registers)
    back = late.read()
    return {
        "percent": reading.percent,
        "status": reading.status,
        "voltage_uv": reading.voltage_uv,
        "garbled": garbled,
        "unplugged": unplugged,
        "back": back.percent,
    }


def cell() -> dict[str, Any]:
    reading = PowerSupplyBattery(name="test_battery").read()
    return {"percent": reading.percent, "status": reading.status, "time_to_empty_s": reading.time_to_empty_s}


class Ear:
    """A microphone, and what it has told so far."""

    def __init__(self) -> None:
        self.sounds: list[EncodedSound] = []
        self.faults: list[str] = []
        self._news = threading.Condition()
        self.microphone = AlsaMicrophone("plughw:CARD=Loopback,DEV=1", sample_rate=16_000, retry_max_s=0.5)
        self.microphone.start(self._hear, self._fault)

    def _hear(self, sound: EncodedSound) -> None:
        with self._news:
            self.sounds.append(sound)
            self._news.notify_all()

    def _fault(self, text: str) -> None:
        with self._news:
            self.faults.append(text)
            self._news.notify_all()

    def wait(self, what: Callable[[], bool]) -> None:
        with self._news:
            if not self._news.wait_for(what, timeout=40):
                raise TimeoutError(f"{len(self.sounds)} sounds, faults {self.faults}")

    def more(self, count: int) -> None:
        wanted = len(self.sounds) + count
        self.wait(lambda: len(self.sounds) >= wanted)


def sound() -> dict[str, Any]:
    ear = Ear()
    ear.more(60)

    read, late = alsa_capture.AlsaCapture.read, [True]

    def late_once(capture: alsa_capture.AlsaCapture) -> bytes | None:
        if late:
            late.pop()
            time.sleep(4)  # more than the card keeps
        return read(capture)

    alsa_capture.AlsaCapture.read = late_once  # type: ignore[method-assign]
    ear.wait(lambda: any("overrun" in one for one in ear.faults))
    before = len(ear.sounds)
    ear.more(60)
    holes_ms = [(b.captured_ns - a.captured_ns) // 1_000_000 for a, b in itertools.pairwise(ear.sounds)]

    card = next(SOUND_CARDS.glob("snd_aloop.*")).name
    (SOUND_CARDS / "unbind").write_text(card)
    ear.wait(lambda: len(ear.faults) >= 2)
    (SOUND_CARDS / "bind").write_text(card)
    ear.more(60)
    ear.microphone.stop()
    return {
        "overrun": ear.faults[0],
        "hole_ms": max(holes_ms[: before + 30]),
        "unplugged": ear.faults[1],
        "rising": all(a.captured_ns < b.captured_ns for a, b in itertools.pairwise(ear.sounds)),
        "stopped": all(one.name != "microphone-alsa" for one in threading.enumerate()),
    }


watchdog = find_watchdog()
told: dict[str, Any] = {"watchdog": watchdog.identity if watchdog else None}
for part in (cell, gauge, sound):
    told[part.__name__] = part()
    print(json.dumps(told))
