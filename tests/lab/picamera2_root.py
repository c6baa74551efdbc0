"""A Debian root with real libcamera and real picamera2, in which a program of ours runs with a device directory of its
own. Made once (about a minute) and kept in the cache.

Debian forky has the first libcamera whose virtual camera delivers pictures. picamera2 and what it needs come as wheels
for that root's Python; three modules that it imports and never uses without a Raspberry Pi's screen or raw files are
empty stand-ins.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kernel_modules import cache_directory
from real_time import comes_first

from fleet.image.debian_root import CannotBuild, DebianRoot, unpacked

BASE = Path(__file__).resolve().parents[2]
ROOT = DebianRoot(
    suite="forky", packages=("python3", "python3-libcamera", "python3-av", "python3-numpy", "python3-pil")
)
PYTHON = "3.14"
WHEELS = ("picamera2==0.3.38", "piexif==1.1.3", "simplejpeg==1.9.0", "videodev2==0.0.4")
STAND_INS = {
    "pykms.py": "class PixelFormat:\n    RGB888 = BGR888 = XRGB8888 = XBGR8888 = YUV420 = YVU420 = NV12 = None\n",
    "prctl.py": "",
    "pidng/core.py": "class PICAM2DNG: ...\n",
    "pidng/camdefs.py": "class Picamera2Camera: ...\n",
}
CAMERAS = """%YAML 1.1
---
"Virtual0":
  supported_formats:
  - {width: 640, height: 360, frame_rates: [10, 30]}
  test_pattern: "lines"
  model: "Virtual Lines"
"Virtual1":
  supported_formats:
  - {width: 640, height: 360, frame_rates: [10, 30]}
  - {width: 128, height: 72, frame_rates: [10, 30]}
  test_pattern: "bars"
  model: "Virtual Bars"
"""
SITE = "usr/local/lib/lab"
# In a mount namespace of its own: devices, this repository to read, and a place for results. picamera2 only opens the
# heap; the memory comes from `virtual_picamera.MemoryAllocator`.
ENTER = """set -e
mount -t tmpfs dev "$1/dev"
for name in null zero full random urandom; do touch "$1/dev/$name"; mount --bind "/dev/$name" "$1/dev/$name"; done
mkdir "$1/dev/dma_heap" "$1/dev/shm"
touch "$1/dev/dma_heap/linux,cma"
mount -t proc proc "$1/proc"
mount --bind "$2" "$1/srv"
mount -o remount,bind,ro "$1/srv"
mount --bind "$3" "$1/mnt"
root="$1"; shift 3
exec chroot "$root" "$@"
"""

# As in the recorder's unit (MemoryDenyWriteExecute=yes): no memory that is written and then run. Linux 6.3 and later.
LAUNCH = """import ctypes, runpy, sys
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
forbidden = ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) == 0
print("written code:", "forbidden" if forbidden else "allowed", flush=True)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def picamera2_root() -> Path:
    """The root's directory. Root only. Raises `CannotBuild`."""
    recipe = [ROOT.name(), PYTHON, *WHEELS, str(STAND_INS), CAMERAS, inspect.getsource(_build)]
    directory = cache_directory() / f"picamera2-{hashlib.sha256(chr(10).join(recipe).encode()).hexdigest()[:16]}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{directory}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            part = directory.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            _build(part)
            part.rename(directory)
    return directory


def _build(into: Path) -> None:
    unpacked(ROOT.tar(), into)
    site = into / SITE
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site),
               "--python-version", PYTHON, "--only-binary", ":all:", *WHEELS]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBuild(f"picamera2 cannot be downloaded: {done.stderr.strip()[-300:]}")
    for name, text in STAND_INS.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(text)
    cameras = into / "usr/share/libcamera/pipeline/virtual/virtual.yaml"
    cameras.parent.mkdir(parents=True)
    cameras.write_text(CAMERAS)


def run_in_root(root: Path, program: str, results: Path, arguments: Sequence[str] = ()) -> str:
    """Run a Python program of this repository (its path there) with `results` as ``/mnt``; what it said.

    Raises `CannotBuild` if it fails.
    """
    paths = f"/{SITE}:/srv:/srv/{Path(program).parent}"
    command = ["unshare", "--mount", "sh", "-c", ENTER, "sh", str(root), str(BASE), str(results),
               "/usr/bin/env", "-i", "PATH=/usr/bin:/bin", f"PYTHONPATH={paths}", "PYTHONDONTWRITEBYTECODE=1",
               "LIBCAMERA_LOG_LEVELS=*:FATAL", "/usr/bin/python3", "-c", LAUNCH,
               f"/srv/{program}", *arguments]  # fmt: skip
    with comes_first():
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=800
        )
    if done.returncode != 0:
        raise CannotBuild(f"{program} failed: {done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout
