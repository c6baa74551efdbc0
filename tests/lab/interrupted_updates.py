"""Updates of one camera after another version, each cut off at a random instant: `make interrupted-updates N=200`.

The real RAUC and the real boot handler write to a card that forgets, in a cut, what was not synced (simulator.card), or
everything is killed while the card keeps its power. Then the firmware (tests/lab/firmware.py) starts what the card
holds. A *brick* is a card that starts nothing, or starts a slot of which a single byte is of no release. The update is
then brought to its end, and the next one begins.

Two things differ from a camera: RAUC's bundles have the format `plain`, for a kernel without dm-verity, and partition 1
is a directory of which a FAT is made for the firmware.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import figures
import firmware
from update_bench import (
    BenchCamera,
    bench_camera,
    bundle_of,
    fat,
    image_digests,
    images_of,
    missing_tool,
    signed_release,
    slot_digests,
    wait_for,
)

from evidence import durable
from evidence.update_state import UpdateState
from fleet.ca import create_agency
from fleet.image.layout import ALIGN, Sizes, card_bytes, partitions, table
from fleet.update import autoboot
from fleet.update.autoboot import Slot
from fleet.update.trying import LAB_FLAG
from simulator.card.mounted import MountedCard, mount_card
from simulator.processes import Children

Step = Literal["install", "try", "health"]
STEPS: tuple[Step, ...] = ("install", "try", "health")
SIZES = Sizes(boot=ALIGN, root=ALIGN, selector=ALIGN, data=ALIGN)
_MOST_REQUESTS: dict[Step, int] = {"install": 120, "try": 12, "health": 10}
"""Roughly what a step asks of the card; a cut that comes too late for it comes right after it."""


class Brick(Exception):
    """A camera that does not start, or starts what nobody released, or has lost evidence."""


@dataclass
class Interrupted:
    """One camera and its many updates."""

    camera: BenchCamera
    card: MountedCard
    made: Path
    random: random.Random
    version: int = 1
    evidence: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def run(self) -> str:
        """One update with one cut in it, and brought to its end; what happened, in words. Raises `Brick`."""
        self._next_release()
        step: Step = self.random.choices(STEPS, weights=(3, 1, 2))[0]
        how = self.random.choice(("power", "power", "kill"))
        told = f"{how} in {step}"
        for one in STEPS[: STEPS.index(step)]:
            self._whole(one)
        told += self._cut(step, how)
        slot = self._starts(after="power-on")
        self._check(slot)
        told += f": slot {slot} starts, {self._state()}"
        self._finish(slot)
        self._check(self._starts(after="power-on"))
        self.counts[f"{how} in {step}"] += 1
        return told

    # --- one release after the other ----------------------------------------------------------------------------------

    def _next_release(self) -> None:
        number = self.version + 1
        bundle = bundle_of(self.made, self.camera.pki, f"{number}.0")
        self.camera.hand(bundle, signed_release(self.camera.pki, f"{number}.0", bundle))
        name, data = f"CAM-1-{number:06}.evidence", self.random.randbytes(20_000)
        durable.write_new(self.camera.card / "data" / "spool" / name, data)
        self.evidence[name] = hashlib.sha256(data).hexdigest()
        slot = self._starts(after="power-on")
        self._boots(slot)

    def _version_of(self, slot: Slot) -> int:
        """The release that a slot holds, whole. Raises `Brick`."""
        found = slot_digests(self.card.seen(self.camera.card))[slot]
        for number in (self.version + 1, self.version):
            if found == image_digests(images_of(self.made, f"{number}.0")):
                return number
        raise Brick(f"slot {slot} is of no release: boot or root are torn")

    def _whole(self, step: Step) -> None:
        """A step that nobody cuts off, with the restart that follows it."""
        state = "updating" if step == "install" else "docked"
        self.camera.recorder.says(state=state)
        said = self.camera.does(step)
        if step == "try" and "restarting into" in said:
            self._off()
            self._boots(self._starts(after="reboot"))

    # --- the cut ------------------------------------------------------------------------------------------------------

    def _cut(self, step: Step, how: str) -> str:
        """Begin a step, and end everything in the middle of it."""
        survives = "written" if how == "kill" else self.random.choice(("nothing", self.random.randrange(2**31)))
        requests = self.random.randrange(_MOST_REQUESTS[step])
        self.card.cut_after(requests=requests, survives=survives)  # type: ignore[arg-type]
        self.camera.recorder.says(state="updating" if step == "install" else "docked")
        process = self.camera.step(step)
        wait_for(lambda: process.poll() is not None or self.card.power_is_lost())
        late = process.poll() is not None and not self.card.power_is_lost()
        lost = self.card.cut(survives)  # type: ignore[arg-type]
        self._off()
        return f" {'after it' if late else f'at request {requests}'} ({lost.bytes} bytes, {lost.names} names forgotten)"

    def _off(self) -> None:
        self.camera.dies()
        self.card.power_on()
        self.camera.is_dead()

    # --- what the card holds ------------------------------------------------------------------------------------------

    def _starts(self, *, after: firmware.After) -> Slot:
        """The slot that the firmware starts from this card. Raises `Brick`."""
        with tempfile.TemporaryDirectory(dir=self.made) as name:
            image, seen = Path(name) / "card.img", self.card.seen(self.camera.card)
            self._image(image, seen)
            try:
                boot = firmware.boot(image, Path(name) / "out", after=after)
            except firmware.NoBoot as error:
                raise Brick(str(error)) from error
            for flag in (self.camera.card / "select" / LAB_FLAG,):
                flag.unlink(missing_ok=True)
            slot = autoboot.slot_of(boot.slot)
            if f"rauc.slot={slot}" not in boot.append.split():
                raise Brick(f"slot {slot} starts with the words of the other one: {boot.append}")
        return slot

    def _image(self, image: Path, seen: Path) -> None:
        select = image.with_name("select.vfat")
        files = {path.name: path.read_bytes() for path in (seen / "select").iterdir() if path.name[0] != "."}
        fat(select, ALIGN, files)
        with image.open("wb") as out:
            out.truncate(card_bytes(SIZES))
            for place, sector in table(SIZES).items():
                out.seek(place)
                out.write(sector)
            for number, path in ((1, select), (2, seen / "boot-a"), (3, seen / "boot-b")):
                out.seek(partitions(SIZES)[number].start)
                out.write(path.read_bytes())

    def _check(self, slot: Slot) -> None:
        """The slot that starts is whole, so is one that waits to be tried, and so is all evidence. Raises `Brick`."""
        self._version_of(slot)
        seen = self.card.seen(self.camera.card)
        pending = self._read().pending
        if pending is not None and pending.phase != "installing" and self._version_of(pending.slot) != self.version + 1:
            raise Brick(f"slot {pending.slot} is {pending.phase} and does not hold the release")
        for name, digest in self.evidence.items():
            if hashlib.sha256((seen / "data" / "spool" / name).read_bytes()).hexdigest() != digest:
                raise Brick(f"{name} is not as it was")

    def _read(self) -> UpdateState:
        return self.camera.state()

    def _state(self) -> str:
        state = self.camera.state()
        return state.pending.phase if state.pending is not None else "nothing in work"

    # --- to the end ---------------------------------------------------------------------------------------------------

    def _boots(self, slot: Slot) -> None:
        self.camera.boot(slot)
        self.camera.recorder.says(firmware=f"{self._version_of(slot)}.0", state="docked")

    def _finish(self, slot: Slot) -> None:
        """Let the camera stand in the dock until the release runs for good. Raises `Brick` if it never does."""
        said: list[str] = []
        for _ in range(6):
            self._boots(slot)
            said.append(self.camera.does("health"))
            if self._version_of(slot) == self.version + 1 and self.camera.state().pending is None:
                self._off()
                self.version += 1
                return
            if self._state() in ("nothing in work", "installing"):
                self.camera.recorder.says(state="updating")
                said.append(self.camera.does("install"))
            self.camera.recorder.says(state="docked")
            said.append(self.camera.does("try"))
            self._off()
            slot = self._starts(after="reboot")
        raise Brick(f"release {self.version + 1}.0 never comes to run: {' / '.join(said)}")


@contextlib.contextmanager
def interrupted(directory: Path, seed: int) -> Iterator[Interrupted]:
    """A camera with version 1.0 on a card that can lose its power."""
    pki = directory / "pki"
    create_agency(pki, serial="CAM-1", organization="Bench", simulated=True)
    made = directory / "made"
    (directory / "logs").mkdir()
    with bench_camera(directory, pki) as camera, Children(directory / "logs") as children:
        camera.new_card(images_of(made, "1.0"))
        card, _ = mount_card(children, camera.card, directory / "card.sock")
        if not isinstance(card, MountedCard):
            raise SystemExit(f"the card cannot be mounted: {card.why}")
        try:
            yield Interrupted(camera, card, made, random.Random(seed))
        finally:
            camera.dies()
            card.make_whole()
            camera.is_dead()
            card.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--publish", action="store_true", help="let the pages show this run: docs/figures/")
    arguments = parser.parse_args()
    if (lacking := missing_tool()) is not None:
        print(lacking, file=sys.stderr)
        return 1
    bricks, begun = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="interrupted-") as name, interrupted(Path(name), arguments.seed) as bench:
        for number in range(1, arguments.runs + 1):
            try:
                print(f"{number:4} {bench.run()}", flush=True)
            except Brick as error:
                bricks += 1
                print(f"{number:4} BRICK: {error}", flush=True)
                break
        for what, count in sorted(bench.counts.items()):
            print(f"{count:5} {what}")
        print(f"{sum(bench.counts.values())} interrupted updates, {bricks} bricks")
    counts = bench.counts
    figures.record(
        "interrupted_updates",
        {
            "updates": counts.total(),
            "power_cuts": sum(count for what, count in counts.items() if what.startswith("power")),
            "kills": sum(count for what, count in counts.items() if what.startswith("kill")),
            "bricks": bricks,
            "seed": arguments.seed,
        },
        ok=bricks == 0 and counts.total() == arguments.runs,
        rows=[{"cut": what, "updates": count} for what, count in sorted(counts.items())],
        seconds=time.monotonic() - begun,
        publish=arguments.publish,
        command=f"sudo make interrupted-updates N={arguments.runs}",
    )
    return 1 if bricks else 0


if __name__ == "__main__":
    raise SystemExit(main())
