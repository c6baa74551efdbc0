"""Copies of boards' /dev, /proc and /sys, as somebody sends them: written from what such boards are known to show."""

from __future__ import annotations

import os
from pathlib import Path

ZERO_2_W = {
    "proc/device-tree/model": "Raspberry Pi Zero 2 W Rev 1.0\0",
    "proc/meminfo": "MemTotal:         436428 kB\nMemFree:  1 kB\n",
    "proc/cmdline": "console=tty1 root=PARTUUID=x rootwait\n",
    "proc/asound/cards": " 0 [sndrpigooglevoi]: RPi-simple - snd_rpi_googlevoicehat_soundcar\n    snd_rpi\n",
    "proc/asound/card0/pcm0c/info": "card: 0\n",
    "sys/class/video4linux/v4l-subdev0/name": "imx708\n",
    "sys/class/video4linux/video0/name": "unicam-image\n",
    "sys/class/video4linux/video10/name": "bcm2835-codec-decode\n",
    "sys/class/video4linux/video11/name": "bcm2835-codec-encode\n",
    "sys/block/mmcblk0/device/type": "SD\n",
    "sys/block/mmcblk0/device/name": "SR64G\n",
    "sys/block/mmcblk0/device/date": "05/2025\n",
    "sys/block/mmcblk0/size": "124735488\n",
    "sys/bus/iio/devices/iio:device0/name": "mpu6050\n",
    "sys/bus/iio/devices/iio:device0/in_accel_x_raw": "12\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48312\n",
    "sys/class/watchdog/watchdog0/identity": "Broadcom BCM2835 Watchdog timer\n",
    "sys/class/pps/pps0/name": "pps@4.-1\n",
    "sys/class/hwmon/hwmon0/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon0/in0_lcrit_alarm": "0\n",
    "sys/class/leds/ACT/brightness": "0\n",
    "sys/class/leds/input0::capslock/brightness": "0\n",
    "dev/gpiochip0": "",
    "dev/ttyAMA0": "",
    "dev/i2c-1": "",
}
"""A body camera that is wired as bodycam-zero2w says, without a clock of its own."""

PI_5 = {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/meminfo": "MemTotal:        4147456 kB\n",
    "proc/asound/cards": (
        " 0 [Device         ]: USB-Audio - USB PnP Sound Device\n"
        " 1 [sndrpigooglevoi]: RPi-simple - snd_rpi_googlevoicehat_soundcar\n"
    ),
    "proc/asound/card0/pcm0c/info": "",
    "proc/asound/card1/pcm0c/info": "",
    "sys/class/video4linux/v4l-subdev2/name": "imx708 10-001a\n",
    "sys/class/video4linux/v4l-subdev6/name": "imx708 11-001a\n",
    "sys/class/video4linux/v4l-subdev0/name": "pispbe\n",
    "sys/class/video4linux/video0/name": "rp1-cfe-csi2_ch0\n",
    "sys/class/power_supply/battery/type": "Battery\n",
    "sys/bus/iio/devices/iio:device0/name": "mpu6050\n",
    "sys/bus/iio/devices/iio:device0/in_accel_x_raw": "12\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "51000\n",
    "sys/class/rtc/rtc0/name": "rpi-rtc soc@107c000000:rpi_rtc\n",
    "sys/class/watchdog/watchdog0/identity": "Broadcom BCM2835 Watchdog timer\n",
    "sys/class/pps/pps0/name": "pps@4.-1\n",
    "sys/block/mmcblk0/device/type": "SD\n",
    "sys/block/mmcblk0/size": "249737216\n",
    "dev/gpiochip0": "",
    "dev/ttyAMA0": "",
    "dev/i2c-1": "",
}
"""A dash camera that is wired as dashcam-pi5 says."""


def paper_board(root: Path, files: dict[str, str], *, without: str = "\0", **changed: str) -> Path:
    """Write a copy. `without` leaves out files whose path contains it; `changed` gives files by their last name."""
    for name, text in files.items():
        if without in name:
            continue
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed.get(path.name, text))
    return root


def pty_pair() -> tuple[int, int, Path]:
    """A serial port: the far end, the near end (kept open), and the near end's path."""
    far, near = os.openpty()
    return far, near, Path(os.ttyname(near))
