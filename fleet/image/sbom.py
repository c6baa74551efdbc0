"""What is in an image, as a CycloneDX 1.6 bill of materials: Debian's packages and Python's distributions of a root."""

from __future__ import annotations

import datetime as dt
import email.parser
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fleet.image.debian_root import CannotBuild

_NAMESPACE: Final = uuid.UUID("5a3c8c1e-6f0e-4d0b-9d0a-0f1a5e3b7c42")
_PYTHON: Final = ("usr/lib/firsthand/site", "usr/lib/python3/dist-packages")
_PLAIN_LICENSE: Final = re.compile(r"[A-Za-z0-9 .()+-]{1,200}", re.ASCII)

Component = dict[str, Any]


def bill_of_materials(root: Path, name: str, version: str, epoch: int, suite: str) -> bytes:
    """Of the root file system in a directory. The same root gives the same bytes. Raises `CannotBuild`, OSError."""
    image: Component = {"type": "operating-system", "bom-ref": f"image:{name}", "name": name, "version": version}
    components = [*debian_packages(root, suite), *python_distributions(root)]
    components.sort(key=lambda component: str(component["bom-ref"]))
    text = json.dumps([image, components], sort_keys=True)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, text)}",
        "version": 1,
        "metadata": {
            "timestamp": dt.datetime.fromtimestamp(epoch, dt.UTC).isoformat().replace("+00:00", "Z"),
            "component": image,
        },
        "components": components,
        "dependencies": [{"ref": image["bom-ref"], "dependsOn": [each["bom-ref"] for each in components]}],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def debian_packages(root: Path, suite: str) -> Iterator[Component]:
    """Each installed package, from dpkg's own register. Raises `CannotBuild`, OSError."""
    register = root / "var/lib/dpkg/status"
    parser = email.parser.Parser()
    found = 0
    for paragraph in register.read_text("utf-8").split("\n\n"):
        fields = parser.parsestr(paragraph, headersonly=True)
        if not str(fields.get("Status", "")).endswith(" installed"):
            continue
        package, version, arch = (str(fields[key]) for key in ("Package", "Version", "Architecture"))
        ours = package.startswith("firsthand")
        purl = f"pkg:deb/{'firsthand' if ours else 'debian'}/{quote(package)}@{quote(version, safe='')}?arch={arch}"
        component: Component = {"type": "library", "bom-ref": f"deb:{package}:{arch}", "name": package,
                     "version": version, "purl": purl if ours else f"{purl}&distro={suite}"}  # fmt: skip
        if (supplier := str(fields.get("Maintainer", ""))).strip():
            component["supplier"] = {"name": supplier.partition("<")[0].strip() or supplier.strip()}
        yield component
        found += 1
    if not found:
        raise CannotBuild(f"{register} names no package: this is no Debian root")


def python_distributions(root: Path) -> Iterator[Component]:
    """Each Python distribution that our package brings along, from its metadata. Raises OSError."""
    for place in _PYTHON:
        for metadata in sorted((root / place).glob("*.dist-info/METADATA")):
            fields = email.parser.Parser().parsestr(metadata.read_text("utf-8", "replace"), headersonly=True)
            name, version = str(fields["Name"]), str(fields["Version"])
            purl = f"pkg:pypi/{quote(name.lower().replace('_', '-'))}@{quote(version, safe='')}"
            component: Component = {"type": "library", "bom-ref": f"py:{name}:{place}", "name": name,
                                    "version": version, "purl": purl}  # fmt: skip
            license_name = str(fields.get("License-Expression") or fields.get("License") or "").strip()
            if _PLAIN_LICENSE.fullmatch(license_name):
                component["licenses"] = [{"license": {"name": license_name}}]
            yield component
