"""The V4L2 driver on a real kernel's V4L2: vivid, which can also lose buffers, fail, and be pulled out."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from kernel_modules import LabKernel
from lab_root import installed_root
from machine import CONSOLE, Boot, Disk, Machine
from plain_root import ext4_of

from hal.picture_encoder import plane_view

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

SITE = "/usr/lib/firsthand/site"


@pytest.fixture(scope="module")
def seen(whole_lab: None, kernel: LabKernel, initrd: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    scratch = tmp_path_factory.mktemp("vivid")
    tree = scratch / "tree"
    tree.mkdir()
    modules = kernel.order["vivid"]
    for name in modules:
        shutil.copy(kernel.directory / f"{name}.ko", tree)
    shutil.copy(Path(__file__).with_name("vivid_scenes.py"), tree)
    share = ext4_of(tree, scratch / "share.ext4", label="vivid", mib=24)
    disks = [Disk(installed_root(), "root", forgets=True), Disk(share, "share", forgets=True)]
    options = "n_devs=1 node_types=0x1 num_inputs=1 input_types=0"
    with Machine(scratch / "machine", Boot(kernel.image, initrd, f"root=/dev/vda {CONSOLE}"), disks) as machine:
        machine.ready()
        machine.run("mount -o ro /dev/disk/by-id/virtio-share /mnt")
        for name in modules:
            machine.ask(f"insmod /mnt/{name}.ko {options if name == 'vivid' else ''}")
        machine.until("test -c /dev/video0")
        told = machine.run(f"PYTHONPATH={SITE} python3 -B /mnt/vivid_scenes.py", seconds=120)
    found: dict[str, Any] = json.loads(told.strip().splitlines()[-1])
    return found


@pytest.mark.parametrize("pixels", ["yuyv", "nv12"])
def test_real_buffers_become_closed_gops_with_the_kernel_s_times(seen: dict[str, Any], pixels: str) -> None:
    scene = seen[pixels]
    facts = scene["facts"]
    assert facts[0][0] == 0
    assert all(late[0] > early[0] and late[1] > early[1] for early, late in itertools.pairwise(facts))
    keys = [captured_ns for _, captured_ns, keyframe, _ in facts if keyframe]
    assert keys[0] == facts[0][1]
    assert all(late_ns - early_ns < 1.1e9 for early_ns, late_ns in itertools.pairwise([*keys, facts[-1][1]]))
    # vivid's own clock and count agree with each other, whatever this machine made of them.
    assert 0.6 < (facts[-1][1] - facts[0][1]) / 1e8 / (facts[-1][0] - facts[0][0]) < 1.4
    assert 0 < scene["age_ns"] < 3e9
    assert scene["sensor"].startswith("vivid platform:vivid")
    width, height, levels = scene["small"]
    assert (width, height) == (96, 54)
    assert levels > 10
    codec = av.CodecContext.create("h264", "r")
    pictures = [one for data in scene["octets"] for one in codec.decode(av.Packet(base64.b64decode(data)))]
    pictures += codec.decode(None)
    assert [(one.width, one.height) for one in pictures] == [(320, 180)] * 12
    luma = plane_view(pictures[-1].planes[0]).astype(int)
    assert np.ptp(luma[150:170].mean(axis=0)) > 100  # bars
    assert luma[2:24, 4:160].max() > 200  # the text


@pytest.mark.requirement("R29")
def test_buffers_that_the_kernel_lost_are_missing_from_the_count(seen: dict[str, Any]) -> None:
    assert max(late - early for early, late in itertools.pairwise(seen["lossy"])) > 1


@pytest.mark.requirement("R29")
def test_whatever_happens_to_the_device_is_said_and_frames_come_again(seen: dict[str, Any]) -> None:
    assert "has delivered no picture for 2 s and is restarted" in seen["silent"]
    assert "failed (Input/output error)" in seen["fatal"]
    assert seen["fatal_after_s"] < 2  # said by the kernel, not by our patience
    assert all("failed" in one for one in seen["start_refused"])
    assert "has gone: plug it in again" in seen["unplugged"]
    assert "is used by another program" in seen["second_user"]
    assert "delivers 320x180, which is scaled to 320x240" in seen["other_size"]
    whole = seen["whole"]
    assert all(late[:2] > early[:2] and late[1] > early[1] for early, late in itertools.pairwise(whole))
    assert sum(late[0] - early[0] > 4 for early, late in itertools.pairwise(whole)) >= 4  # four outages
