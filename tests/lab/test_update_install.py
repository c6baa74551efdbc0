"""Updates with the real RAUC: what is installed, what is refused, what a new system must show, when it goes back."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from update_bench import (
    BenchCamera,
    bench_camera,
    bundle_of,
    image_digests,
    images_of,
    missing_tool,
    signed_release,
    slot_digests,
)

from fleet.__main__ import main as fleet
from fleet.ca import create_agency
from fleet.update import autoboot

if (lacking := missing_tool()) is not None and not os.environ.get("CI"):
    pytest.skip(lacking, allow_module_level=True)
pytestmark = pytest.mark.needs_root


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("agency") / "pki"
    create_agency(directory, serial="CAM-1", organization="Bench", simulated=True)
    return directory


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, pki: Path) -> Path:
    """Bundles 2.0 and 3.0, and what the first system is made of."""
    directory = tmp_path_factory.mktemp("made")
    images_of(directory, "1.0")
    for version in ("2.0", "3.0"):
        bundle_of(directory, pki, version)
    return directory


@pytest.fixture
def camera(tmp_path: Path, pki: Path, made: Path) -> Iterator[BenchCamera]:
    assert missing_tool() is None, missing_tool()
    with bench_camera(tmp_path, pki) as one:
        one.new_card(images_of(made, "1.0"))
        bundle = made / "camera-2.0-plain.raucb"
        one.hand(bundle, signed_release(pki, "2.0", bundle))
        one.boot("A")
        yield one


def starts(camera: BenchCamera) -> str:
    return autoboot.read(camera.card / "select")


def restarts(camera: BenchCamera, slot: autoboot.Slot) -> None:
    camera.dies()
    camera.is_dead()
    camera.recorder.says(state="docked")
    camera.boot(slot)


def installed(camera: BenchCamera) -> None:
    assert camera.does("install") == "2.0"
    camera.recorder.says(state="docked")
    assert "restarting into release 2.0 in slot B" in camera.does("try")


def test_a_release_is_installed_tried_and_proves_itself(camera: BenchCamera, made: Path) -> None:
    old = image_digests(images_of(made, "1.0"))
    assert camera.does("install") == "2.0"
    assert slot_digests(camera.card) == {"A": old, "B": image_digests(images_of(made, "2.0"))}
    assert starts(camera) == "A"  # nothing is decided yet
    assert "updating, not idle in the dock" in camera.does("try")
    camera.recorder.says(state="docked")
    assert "restarting into release 2.0 in slot B" in camera.does("try")
    restarts(camera, "B")
    camera.recorder.says(firmware="2.0")
    assert "has proven itself" in camera.does("health")
    assert starts(camera) == "B"
    state = camera.state()
    assert (state.pending, state.newest, state.last and state.last.phase) == (None, "2.0", "confirmed")
    assert camera.does("health") == "slot B runs, and nothing is tried"
    assert camera.does("try") == "no update waits for a restart"


def test_the_next_update_goes_into_the_other_slot(camera: BenchCamera, pki: Path, made: Path) -> None:
    installed(camera)
    bundle = made / "camera-3.0-plain.raucb"
    camera.hand(bundle, signed_release(pki, "3.0", bundle))
    restarts(camera, "B")
    camera.recorder.says(firmware="2.0", state="updating")
    assert "the camera tries slot B just now" in camera.does("install")  # slot A is still the way back
    assert "has proven itself" in camera.does("health")
    assert camera.does("install") == "3.0"
    assert slot_digests(camera.card)["A"] == image_digests(images_of(made, "3.0"))
    assert starts(camera) == "B"


@pytest.mark.parametrize(
    ("worse", "why"),
    [
        ({"firmware": "1.0"}, "it runs 1.0, not 2.0"),
        ({"firmware": "2.0", "self_test": None}, "has not done its self-test"),
        ({"firmware": "2.0", "self_test": "block"}, r"its self-test says block \(camera\), and said pass before"),
        ({"firmware": "2.0", "agent": False}, "its agent does not run"),
    ],
)
def test_a_system_that_does_not_prove_itself_goes_back_and_is_not_tried_again(
    camera: BenchCamera, worse: dict[str, object], why: str
) -> None:
    installed(camera)
    camera.agent_lives, camera.health_s = bool(worse.pop("agent", True)), 2.5  # it never will
    restarts(camera, "B")
    camera.recorder.says(**worse)
    if worse.get("self_test") == "block":
        camera.recorder.test = {"verdict": "block", "checks": [{"name": "camera", "result": "fail"}]}
    told = camera.does("health")
    assert told.splitlines()[-1].startswith("going back to slot A")
    assert starts(camera) == "A"
    state = camera.state()
    assert state.last is not None
    assert state.last.phase == "rolled_back"
    assert re.search(why, state.last.why)
    restarts(camera, "A")
    camera.recorder.says(firmware="1.0", self_test="pass", state="updating")
    assert "was tried and did not prove itself" in camera.does("install")


def test_a_system_that_does_not_come_up_is_tried_twice(camera: BenchCamera) -> None:
    installed(camera)
    restarts(camera, "A")  # the firmware fell back
    assert "tried once more in the dock" in camera.does("health")
    assert "restarting into release 2.0" in camera.does("try")
    restarts(camera, "A")
    assert "is given up: it did not come up in 2 boots" in camera.does("health")
    assert camera.does("try") == "no update waits for a restart"


def test_a_defect_that_was_there_before_does_not_speak_against_a_new_system(camera: BenchCamera) -> None:
    camera.recorder.test = {"verdict": "warn", "checks": [{"name": "gps", "result": "warn"}]}
    installed(camera)
    restarts(camera, "B")
    camera.recorder.says(firmware="2.0", self_test="warn")
    assert "has proven itself" in camera.does("health")


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ({"state": "docked"}, "the recorder knows of no update: it is docked"),
        ({"docked": False}, "knows of no update"),
        ({"battery_percent": 49, "charging": False}, "charge is below 50 %"),
        ({"firmware": "2.0"}, "release 2.0 is not newer than 2.0"),
        ({"firmware": "2.1"}, "release 2.0 is not newer than 2.1"),
    ],
)
def test_the_trusted_side_asks_the_recorder_itself(camera: BenchCamera, says: dict[str, object], why: str) -> None:
    camera.recorder.says(**says)
    assert why in camera.does("install")
    assert camera.state().pending is None


def test_what_the_release_key_did_not_sign_is_refused(camera: BenchCamera, pki: Path, made: Path) -> None:
    bundle = made / "camera-2.0-plain.raucb"
    camera.hand(bundle, signed_release(pki, "2.0", bundle, role="profile"))
    assert "has the profile role, not release" in camera.does("install")
    camera.hand(bundle, signed_release(pki, "2.0", bundle))
    handed = camera.handed / bundle.name
    handed.write_bytes(handed.read_bytes()[:-1] + b"\0")
    assert "is not the bundle that the manifest names" in camera.does("install")
    handed.unlink()
    handed.symlink_to("/etc/hostname")
    assert "Too many levels of symbolic links" in camera.does("install")


def test_a_bundle_of_another_signer_is_refused_by_rauc_too(camera: BenchCamera, pki: Path, made: Path) -> None:
    """The camera's own evidence key leads to the same root: a manifest by mistake is not enough."""
    bundle = made / "evil.raucb"
    content = made / "evil"
    content.mkdir()
    images = images_of(made, "2.0")
    (content / "manifest.raucm").write_text(
        "[update]\ncompatible=firsthand-lab-vm\nversion=2.0\n[bundle]\nformat=plain\n[image.rootfs]\nfilename=r.img\n"
    )
    (content / "r.img").write_bytes(images.root.read_bytes())
    signed = ["rauc", "bundle", "--cert", str(pki / "camera.pem"), "--key", str(pki / "camera.key")]
    subprocess.run([*signed, str(content), str(bundle)], check=True, capture_output=True)
    camera.hand(bundle, signed_release(pki, "2.0", bundle))
    restarts(camera, "A")
    camera.recorder.says(state="updating")
    assert "rauc does not install it: signature verification failed" in camera.does("install")
    assert camera.does("try") == "no update waits for a restart"


def test_there_is_no_way_back_behind_what_ran_here(camera: BenchCamera, pki: Path, made: Path) -> None:
    installed(camera)
    restarts(camera, "B")
    camera.recorder.says(firmware="2.0")
    assert "has proven itself" in camera.does("health")
    camera.recorder.says(firmware="0.9", state="updating")  # a recorder that was made to lie
    bundle = made / "older.raucb"
    images = images_of(made, "1.0")
    packed = ["--slot-boot", str(images.boot), "--slot-root", str(images.root), "--out", str(bundle)]
    signer = ["--key", f"{pki}/release.key", "--cert", f"{pki}/release.pem"]
    assert fleet(["bundle", "--board", "lab-vm", "--version", "1.5", *packed, *signer]) == 0
    camera.hand(bundle, signed_release(pki, "1.5", bundle))
    restarts(camera, "B")
    camera.recorder.says(state="updating")
    assert "is older than 2.0, which ran here: there is no way back" in camera.does("install")
