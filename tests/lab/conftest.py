"""What the lab's tests stand on: tools and root, skipped for a user, required in CI."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from initrd import make_initrd
from kernel_modules import LabKernel, lab_kernel
from machine import QEMU

TOOLS = {QEMU: "qemu-system-x86", "mmdebstrap": "mmdebstrap", "busybox": "busybox-static", "mke2fs": "e2fsprogs"}


@pytest.fixture(scope="session")
def lab() -> None:
    """Root, and the tools that the virtual machine needs."""
    missing = [f"{tool} (package {package})" for tool, package in TOOLS.items() if shutil.which(tool) is None]
    said = [*(["root"] if os.geteuid() != 0 else []), *missing]
    if said:
        reason = f"the lab needs {', '.join(said)}: run `make lab` as root once"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def kernel(lab: None) -> LabKernel:
    return lab_kernel()


@pytest.fixture(scope="session")
def initrd(kernel: LabKernel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initial RAM disk that mounts the first disk."""
    return make_initrd(tmp_path_factory.mktemp("initrd") / "initrd", kernel.chain("disk", "network"))


@pytest.fixture(scope="session")
def whole_lab(lab: None) -> None:
    """For what takes minutes: only `make lab` runs it."""
    if os.environ.get("FIRSTHAND_LAB") != "all":
        pytest.skip("takes minutes: `make lab` runs it")
