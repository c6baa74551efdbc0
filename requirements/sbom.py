"""What camera, station and office are made of, as CycloneDX 1.6: ``make sbom``. (Of a whole image: docs/image.md.)

The libraries are those of the lock files, with the hashes of all their files; the same checkout gives the same bytes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any, Final

from fleet.deb_contents import epoch_of
from fleet.locked import Pin, load_lock, lock_path

BASE: Final = Path(__file__).resolve().parent.parent
SETS: Final = ("camera", "station", "office", "everything")
_NAMESPACE: Final = uuid.UUID("5a3c8c1e-6f0e-4d0b-9d0a-0f1a5e3b7c42")
Component = dict[str, Any]


def bill_of_materials(base: Path, name: str) -> bytes:
    """Of one set. Raises `fleet.locked.BadLock`, OSError."""
    project = tomllib.loads((base / "pyproject.toml").read_text("utf-8"))["project"]
    version = project["version"]
    ours: Component = {
        "type": "application",
        "bom-ref": f"pkg:pypi/firsthand@{version}",
        "name": "firsthand",
        "version": version,
        "description": f"{project['description']}: {name}",
        "licenses": [{"license": {"id": project["license"]}}],
        "purl": f"pkg:pypi/firsthand@{version}",
    }
    libraries = [_component(pin) for pin in load_lock(lock_path(base, name))]
    text = json.dumps([ours, libraries], sort_keys=True)
    made = dt.datetime.fromtimestamp(epoch_of(base), dt.UTC)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, text)}",
        "version": 1,
        "metadata": {"timestamp": made.isoformat().replace("+00:00", "Z"), "component": ours},
        "components": libraries,
        "dependencies": [{"ref": ours["bom-ref"], "dependsOn": [one["bom-ref"] for one in libraries]}],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def _component(pin: Pin) -> Component:
    """A library; for which machines it is, if not for all, as its lock says."""
    purl = f"pkg:pypi/{pin.name}@{pin.version}"
    files = {
        "type": "distribution",
        "url": f"https://pypi.org/project/{pin.name}/{pin.version}/",
        "hashes": [{"alg": "SHA-256", "content": one} for one in pin.sha256],
    }
    component: Component = {"type": "library", "bom-ref": purl, "name": pin.name, "version": pin.version, "purl": purl}
    component["externalReferences"] = [files]
    if pin.marker is not None:
        component["properties"] = [{"name": "firsthand:marker", "value": pin.marker}]
    return component


def main() -> int:
    """Write one file for each set."""
    parser = argparse.ArgumentParser(
        description="Write CycloneDX lists of what camera, station and office are made of."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIRECTORY")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in SETS:
        path = options.out / f"firsthand-{name}.cdx.json"
        path.write_bytes(bill_of_materials(BASE, name))
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
