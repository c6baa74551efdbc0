"""One wrong firmware: the product's source with one small thing broken, and the scenarios that must notice it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PRODUCT: Final = ("device", "dock", "evidence", "hal")
"""What is mutated…"""
NEEDED: Final = (*PRODUCT, "fleet", "simulator", "pyproject.toml")
"""…and what of the tree is needed to play scenarios."""


class Moved(Exception):
    """The source has moved on, and the mutant with it must be mended."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One thing that is broken."""

    name: str
    broken: str
    """What the camera does wrong now, for people."""
    requirement: str
    file: str
    text: str
    """Stands exactly once in the file…"""
    instead: str
    """…and is replaced by this."""
    scenarios: tuple[str, ...]
    """The bundled scenarios that should notice; the first one is enough, and quick."""
    fits: str
    """A pattern: what the expectation that fails must say, else the scenario failed for another reason."""


def read(tree: Path, mutant: Mutant) -> str:
    """The file as it stands. Raises `Moved` if what the mutant breaks does not stand there exactly once."""
    path = tree / mutant.file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text.count(mutant.text) != 1:
        raise Moved(
            f"{mutant.name}: the text to mutate stands {text.count(mutant.text)} times in {mutant.file}, not once: "
            "the source has moved on, mend the mutant in tests/mutants/catalogue.py"
        )
    return text


def copy_tree(root: Path, copy: Path) -> None:
    """The working tree as git lists it, changes that are not committed and new files included."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *NEEDED],
        capture_output=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.decode().split("\0"):
        source = root / name
        if name and source.is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy / name)


def mutate(tree: Path, mutant: Mutant, into: Path) -> None:
    """A copy of the tree, compiled files too, with the one thing broken. Raises `Moved`."""
    broken = read(tree, mutant).replace(mutant.text, mutant.instead)
    compile(broken, mutant.file, "exec")  # a mutant that does not even start would be caught by everything
    shutil.copytree(tree, into, ignore=shutil.ignore_patterns("build"))
    path = into / mutant.file
    for stale in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        stale.unlink()
    path.write_text(broken, encoding="utf-8")


def reason(told: str) -> str:
    """The sentences about expectations in what `firsthand-sim check` says of a failure, the excerpt left out."""
    lines = [re.sub(r"^firsthand-sim shift: (\S*/)?", "", line) for line in told.splitlines()]
    return "; ".join(line for line in lines if re.match(r"\S+\.toml:\d+: expected ", line))
