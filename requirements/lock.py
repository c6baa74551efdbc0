"""Write the lock files beside this one: every library of the product, one version each, with the hashes of its files.

``make lock`` runs it, after a change of pyproject.toml or when ``make audit`` names a vulnerable library. Each file is
for Python 3.11 and later on x86_64 and aarch64: markers say what is for which. What the operating system gives
(libcamera's binding, lgpio) is not in them: its own packages are signed (docs/design/supply.md).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
BASE: Final = HERE.parent
OF_THE_SYSTEM: Final = ("lgpio", "picamera2")
SETS: Final = {
    "everything": ("pi", "pkcs11", "station", "export", "fleet", "sim"),
    "camera": ("pi", "pkcs11"),
    "station": ("pi", "pkcs11", "station"),
    "office": ("export", "fleet", "pkcs11"),
}
"""Lock file -> extras. `everything` is resolved first and holds the others to its versions."""


def wanted(extras: tuple[str, ...]) -> list[str]:
    """What pyproject.toml asks for, without what the system gives."""
    project = tomllib.loads((BASE / "pyproject.toml").read_text("utf-8"))["project"]
    found = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    return sorted({one for one in found if not one.startswith(OF_THE_SYSTEM)})


def lock(name: str, *, upgrade: bool) -> None:
    """Write one file. Raises `subprocess.CalledProcessError`; uv has told why."""
    target = HERE / f"{name}.txt"
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    command += [
        "--generate-hashes",
        "--no-annotate",
        "--custom-compile-command",
        "make lock",
        "--output-file",
        str(target),
    ]
    command += ["--upgrade"] if upgrade else []
    command += ["--constraint", str(HERE / "everything.txt")] if name != "everything" else []
    with tempfile.NamedTemporaryFile("w", suffix=".in") as asked:
        asked.write("\n".join(wanted(SETS[name])) + "\n")
        asked.flush()
        subprocess.run([*command, asked.name], check=True, cwd=BASE)


def main() -> int:
    """Lock all sets."""
    parser = argparse.ArgumentParser(description="Write requirements/*.txt: one version of each library, with hashes.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    options = parser.parse_args()
    for name in SETS:
        lock(name, upgrade=options.upgrade)
        print(f"requirements/{name}.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
