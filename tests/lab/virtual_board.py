"""The board of the virtual machine, as `device/boards/lab-vm.toml` names its parts: the kernel's own test drivers.

It is plugged in rather than installed: a small disk with the drivers and what sets them up, and two units that systemd
gets as credentials. So a finished image, which has none of this, finds the board there as it would find a Pi's.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import threading
import tomllib
from pathlib import Path
from typing import Any, Final, Self

from kernel_modules import LabKernel
from machine import Disk, Machine
from plain_root import ext4_of

from simulator.receiver import RouteReceiver

BASE: Final = Path(__file__).resolve().parents[2]
LABEL: Final = "LABBOARD"
LINES: Final = 28
PRESS_S: Final = 0.15
HOLD_S: Final = 3.6
OPTIONS: Final = {
    "vivid": "n_devs=1 node_types=0x1 num_inputs=1 input_types=0",  # one webcam, and nothing else
    "snd-aloop": "pcm_substreams=1",
}
BOARD_UNIT: Final = f"""\
[Unit]
Description=The lab's board
DefaultDependencies=no
BindsTo=dev-disk-by\\x2dlabel-{LABEL}.device
After=dev-disk-by\\x2dlabel-{LABEL}.device systemd-udevd.service
Before=firsthand-first-boot.service firsthand-device.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'mkdir -p /run/lab && mount -o ro /dev/disk/by-label/{LABEL} /run/lab && sh /run/lab/board.sh'
"""
TONE_UNIT: Final = """\
[Unit]
Description=A tone in the lab's microphone
After=lab-board.service
Requires=lab-board.service
[Service]
ExecStart=/usr/bin/python3 -IB /run/lab/tone.py
Restart=always
RestartSec=1s
"""
_PAUSE: Final = (
    "now() { read -r up idle </proc/uptime; now=$((${up%.*} * 100 + 1${up#*.} - 100)); }; "
    "pause() { now; end=$((now + $1)); while [ $now -lt $end ]; do now; done; }"
)
"""A shell's pause without a program to start, which takes longer than a thumb where the processor is emulated."""
_SET_UP: Final = f"""\
while read -r file options; do insmod "/run/lab/modules/$file" $options 2>/dev/null; done </run/lab/modules/order
# lgpio, where the system has none; on a Raspberry Pi it is the system's.
mount --bind /run/lab/lib /usr/local/lib
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
bank=/sys/kernel/config/gpio-sim/lab/bank0
mkdir -p $bank && echo {LINES} >$bank/num_lines && echo 1 >$bank/../live || exit 1
udevadm settle --timeout=30
missing=0
for one in /dev/video0 /dev/snd/controlC0 /dev/gpiochip0 /dev/watchdog0 /sys/class/power_supply/test_battery; do
  [ -e $one ] || {{ echo "the lab's board has no $one: is it this kernel's, $(uname -r)?"; missing=1; }}
done
exit $missing
"""


class VirtualBoard:
    """What a test does to the board: presses, looks at lamps, drains the cell, lets the receiver talk."""

    def __init__(self, machine: Machine, name: str = "lab-vm") -> None:
        self.machine = machine
        wired: dict[str, Any] = tomllib.loads((BASE / f"device/boards/{name}.toml").read_text("utf-8"))
        self.lines: dict[str, dict[str, Any]] = wired["switches"]["options"]["lines"]
        self.lamps: dict[str, int] = wired["indicators"]["options"]["channels"]

    # --- lines and lamps --------------------------------------------------------------------------------------------

    def line(self, name: str, *, active: bool) -> None:
        """A switch is moved, or a vehicle's line changes."""
        self.machine.run(f"echo {self._pull(name, active=active)} >{self._of(self.lines[name]['pin'], 'pull')}")

    def press(self, name: str, times: int = 1, seconds: float = PRESS_S) -> None:
        """A button, pressed as a thumb does; the times are the machine's own."""
        file = self._of(self.lines[name]["pin"], "pull")
        down, up = self._pull(name, active=True), self._pull(name, active=False)
        once = f"echo {down} >{file}; pause {int(seconds * 100)}; echo {up} >{file}; pause {int(PRESS_S * 100)}"
        self.machine.run("; ".join([_PAUSE, *[once] * times]))

    def hold(self, name: str) -> None:
        """Long enough to ask for the end of a recording."""
        self.press(name, seconds=HOLD_S)

    def lit(self, lamp: str) -> bool:
        """Whether the lamp's line is high now; a pattern may have it low for a while."""
        return self.machine.run(f"cat {self._of(self.lamps[lamp], 'value')}").strip() == "1"

    def wait_lit(self, lamp: str, *, lit: bool = True, seconds: float = 30.0) -> None:
        """The lamp shows it at some moment."""
        self.machine.until(f"grep -q {int(lit)} {self._of(self.lamps[lamp], 'value')}", seconds=seconds, every_s=0.05)

    def _pull(self, name: str, *, active: bool) -> str:
        return "pull-up" if active == self.lines[name]["active_high"] else "pull-down"

    @staticmethod
    def _of(pin: int, what: str) -> str:
        return f"/sys/devices/platform/gpio-sim.0/gpiochip0/sim_gpio{pin}/{what}"

    # --- the recorder -----------------------------------------------------------------------------------------------

    def ask(self, operation: str, *, seconds: float = 60.0) -> dict[str, Any]:
        """The recorder's answer to a request without arguments, over its socket."""
        told = self.machine.run(f"python3 -ISB /run/lab/ask.py {operation}", seconds=seconds)
        answer: dict[str, Any] = json.loads(told)
        return answer

    def wait_state(self, state: str, *, seconds: float = 60.0) -> dict[str, Any]:
        """The recorder's status as soon as it is in that state."""
        command = f'python3 -ISB /run/lab/ask.py status | grep \'"state":"{state}"\''
        status: dict[str, Any] = json.loads(self.machine.until(command, seconds=seconds, every_s=0.5))
        return status

    def wait_ready(self, *, seconds: float = 180.0) -> None:
        """The recorder has told systemd that it records, and its first self-test is over."""
        self.machine.until("systemctl is-active firsthand-device.service", seconds=seconds)
        tested = 'python3 -ISB /run/lab/ask.py status | grep -q \'"self_test":"\''
        self.machine.until(tested, seconds=seconds, every_s=1.0)

    # --- the cell ---------------------------------------------------------------------------------------------------

    def cell(self, *, percent: int, charging: bool = False) -> None:
        """What the fuel gauge says from now on."""
        there = "/sys/module/test_power/parameters"
        status = "charging" if charging else "discharging"
        self.machine.run(
            f"echo {percent} >{there}/battery_capacity; echo {status} >{there}/battery_status; "
            f"echo {'on' if charging else 'off'} >{there}/ac_online"
        )


class Receiver:
    """A GPS receiver on the second serial line, once a second, on a drive of the simulator's."""

    def __init__(self, machine: Machine) -> None:
        self._machine, self._ended = machine, threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)

    def _talk(self) -> None:
        receiver = RouteReceiver()
        while not self._ended.wait(1.0):
            now_ns = int(dt.datetime.now(dt.UTC).timestamp()) * 10**9
            self._machine.nmea("".join(f"{sentence}\r\n" for sentence in receiver.epoch(now_ns)).encode())


def board_disk(directory: Path, kernel: LabKernel) -> Disk:
    """The disk that brings the board: drivers, and what sets them up."""
    tree = directory / "board"
    (tree / "modules").mkdir(parents=True)
    shutil.copytree(kernel.python, tree / "lib/python3.13/dist-packages")
    order = []
    for module in kernel.chain("board"):
        shutil.copy(module, tree / "modules" / module.name)
        order.append(f"{module.name} {OPTIONS.get(module.stem, '')}".strip())
    (tree / "modules/order").write_text("\n".join(order) + "\n")
    (tree / "board.sh").write_text(_SET_UP)
    for name in ("tone.py", "ask.py"):
        shutil.copy(Path(__file__).with_name(name), tree / name)
    return Disk(ext4_of(tree, directory / "board.ext4", label=LABEL, mib=24), "board", forgets=True)


def board_units() -> dict[str, str]:
    """For `Machine(units=…)`."""
    return {"lab-board.service": BOARD_UNIT, "lab-tone.service": TONE_UNIT}
