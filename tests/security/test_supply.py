"""What we are made of: locked with hashes for every machine, in step with pyproject.toml, listed, and audited."""

from __future__ import annotations

import datetime as dt
import http.server
import importlib.metadata
import json
import os
import sys
import threading
import tomllib
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fleet.locked import BadLock, Pin, for_machine, load_lock, lock_path

BASE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(BASE / "requirements"))

import audit  # noqa: E402
import lock  # noqa: E402
import sbom  # noqa: E402

MACHINES = [(python, machine) for python in ("3.11", "3.12", "3.13") for machine in ("x86_64", "aarch64")]
NEEDED = pytest.mark.parametrize("name", lock.SETS)


def pins(name: str, python: str, machine: str) -> dict[str, Pin]:
    return {pin.name: pin for pin in for_machine(load_lock(lock_path(BASE, name)), python, machine)}


@NEEDED
@pytest.mark.parametrize(("python", "machine"), MACHINES)
def test_the_lock_has_all_that_pyproject_asks_for_and_in_a_version_that_it_allows(
    name: str, python: str, machine: str
) -> None:
    locked = pins(name, python, machine)
    environment = {"python_version": python, "platform_machine": machine, "sys_platform": "linux"}
    for asked in map(Requirement, lock.wanted(lock.SETS[name])):
        if asked.marker is None or asked.marker.evaluate(environment):
            found = locked[canonicalize_name(asked.name)]
            assert asked.specifier.contains(found.version), f"{asked} is locked as {found.version}: run `make lock`"


@NEEDED
def test_no_library_is_locked_that_nothing_asks_for_nor_missing_that_one_asks_for(name: str) -> None:
    """Held against what the libraries themselves say, as far as they are installed here in the locked version."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    locked = pins(name, python, os.uname().machine)
    first = [(Requirement(one), set[str]()) for one in lock.wanted(lock.SETS[name])]
    reached: set[str] = set()
    todo = [(canonicalize_name(one.name), frozenset(one.extras)) for one, _ in first]
    seen: set[tuple[str, frozenset[str]]] = set()
    unknown = False
    while todo:
        library, extras = todo.pop()
        if (library, extras) in seen:
            continue
        seen.add((library, extras))
        reached.add(library)
        assert library in locked, f"{library} is not in {name}.txt: run `make lock`"
        try:
            known = importlib.metadata.distribution(library)
        except importlib.metadata.PackageNotFoundError:
            unknown = True
            continue
        if known.version != locked[library].version:
            unknown = True
            continue
        for text in known.requires or ():
            asked = Requirement(text)
            if asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                todo.append((canonicalize_name(asked.name), frozenset(asked.extras)))
    assert unknown or reached == set(locked)


def test_every_set_has_the_same_versions_on_every_machine() -> None:
    for python, machine in MACHINES:
        everything = pins("everything", python, machine)
        assert everything == pins("everything", python, "x86_64")
        for name in lock.SETS:
            for library, pin in pins(name, python, machine).items():
                assert (pin.version, pin.sha256) == (everything[library].version, everything[library].sha256)


def test_what_the_operating_system_gives_is_in_no_lock() -> None:
    assert not [pin for name in lock.SETS for pin in load_lock(lock_path(BASE, name)) if pin.name in lock.OF_THE_SYSTEM]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "locks nothing"),
        ("cryptography==50.0.2\n", "--hash=sha256"),
        ("cryptography>=50 --hash=sha256:" + "0" * 64, "NAME==VERSION"),
        ("cryptography==50.0.2 --hash=md5:" + "0" * 32, "--hash=sha256"),
        ("cryptography==50.0.2 --hash=sha256:" + "0" * 64 + " --index-url=https://example.org", "--hash=sha256"),
        ("--index-url https://example.org\n", "NAME==VERSION"),
        ("-r more.txt\n", "NAME==VERSION"),
        ("a==1 ; import os --hash=sha256:" + "0" * 64, "marker"),
    ],
)
def test_a_lock_that_leaves_a_door_open_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "camera.txt").write_text(text)
    with pytest.raises(BadLock, match=says):
        load_lock(tmp_path / "camera.txt")


def test_two_versions_for_one_machine_are_refused() -> None:
    with pytest.raises(BadLock, match="two versions of av"):
        for_machine((Pin("av", "18.1.0", None, ("0" * 64,)), Pin("av", "19.0.2", None, ("0" * 64,))), "3.13", "aarch64")


@pytest.mark.parametrize("name", sbom.SETS)
def test_the_list_of_what_we_are_made_of_is_cyclonedx_and_names_every_library_with_its_hashes(name: str) -> None:
    text = sbom.bill_of_materials(BASE, name)
    if name == "camera":  # the validator takes seconds; all are made alike
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.decode()) is None
    assert text == sbom.bill_of_materials(BASE, name)
    bill = json.loads(text)
    listed = {
        (one["name"], one["version"]): {hash_["content"] for hash_ in one["externalReferences"][0]["hashes"]}
        for one in bill["components"]
    }
    assert listed == {(pin.name, pin.version): set(pin.sha256) for pin in load_lock(lock_path(BASE, name))}
    version = tomllib.loads((BASE / "pyproject.toml").read_text())["project"]["version"]
    assert bill["metadata"]["component"]["version"] == version
    assert set(bill["dependencies"][0]["dependsOn"]) == {one["bom-ref"] for one in bill["components"]}


def vulnerability(name: str = "PYSEC-1") -> audit.Vulnerability:
    return audit.Vulnerability("example", "1.0", name, ("CVE-1",), ("1.1",))


def test_a_vulnerability_is_accepted_only_by_name_and_until_a_day() -> None:
    accepted = audit.Accepted("CVE-1", "example", "its reader is not used", dt.date(2026, 1, 31))
    found = [vulnerability()]
    assert audit.open_ones(found, [], dt.date(2026, 1, 1)) == found
    assert audit.open_ones(found, [accepted], dt.date(2026, 1, 31)) == []
    assert audit.open_ones(found, [accepted], dt.date(2026, 2, 1)) == found
    other = audit.Accepted("CVE-1", "another", "its reader is not used", dt.date(2026, 1, 31))
    assert audit.open_ones(found, [other], dt.date(2026, 1, 1)) == found
    assert "1.1 is mended" in vulnerability().sentence()


def test_no_locked_library_has_a_known_vulnerability() -> None:
    """As far as the package index knows at this moment; skipped where it cannot be asked."""
    try:
        found = audit.audited(lock_path(BASE, "everything"))
    except audit.CannotAsk as error:
        pytest.skip(str(error))
    assert len(found.asked) >= 40
    left = audit.open_ones(found.found, audit.load_accepted(), dt.datetime.now(dt.UTC).date())
    assert not left, "; ".join(one.sentence() for one in left)


class Advisories(http.server.BaseHTTPRequestHandler):
    """An OSV service (https://google.github.io/osv.dev/post-v1-query/) that knows one vulnerability."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = asked == {"package": {"name": "jinja2", "ecosystem": "PyPI"}, "version": "2.4.1"}
        affected = {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.11.3"}]}],
        }
        one = {"id": "PYSEC-2021-66", "aliases": ["CVE-2020-28493"], "affected": [affected], "summary": "slow"}
        body = json.dumps({"vulns": [one]} if known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_the_audit_finds_what_an_advisory_names_and_nothing_else(tmp_path: Path) -> None:
    """The real pip-audit, and an advisory of ours: the control of the test above."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lines = [f"{one} --hash=sha256:{'0' * 64}\n" for one in ("jinja2==2.4.1", "msgspec==0.22.0")]
    (tmp_path / "some.txt").write_text("".join(lines))
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        found = audit.audited(tmp_path / "some.txt", ("3.11",), osv_url=url)
    finally:
        server.shutdown()
        server.server_close()
    assert found.asked == {("jinja2", "2.4.1"), ("msgspec", "0.22.0")}
    assert found.found == (audit.Vulnerability("jinja2", "2.4.1", "PYSEC-2021-66", ("CVE-2020-28493",), ("2.11.3",)),)


def test_an_index_that_cannot_be_asked_is_no_clean_bill(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text(f"msgspec==0.22.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(audit.CannotAsk, match="cannot be asked"):
        audit.audited(tmp_path / "some.txt", ("3.11",), osv_url="http://127.0.0.1:1/v1/query")
