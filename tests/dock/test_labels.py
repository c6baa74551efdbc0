"""Labels that come late, at the dock: appended and signed, never an edit (R5, R31, R40)."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dock_bench import TUS, Client, Process, poll_until, write_station
from dock_camera import Camera

from device.policy import D5B_CATEGORIES
from dock.config import load_station
from dock.errors import BadLabel
from dock.station.labels import ALWAYS, LabelArguments, Labels
from dock.station.opening import open_station
from evidence import cms
from evidence.custody_ledger import Ledger, ledger_files
from evidence.keys import FileSigner
from evidence.statements import encode_canonical
from evidence.trust import Trust

ID = "SIM-0001-000001"


def dock(verb: str, config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dock", verb, "--config", str(config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


class Bench:
    """A running station with one recording."""

    def __init__(self, directory: Path, pki: Path) -> None:
        (directory / "spool").mkdir()
        camera = Camera(pki, directory / "spool")
        self.config = write_station(directory, pki)
        signer = FileSigner.load(pki / "profile.key", pki / "profile.pem")
        profile = {"v": 1, "name": "p", "version": 3, "categories": [{"name": "welfare_check", "label": "Welfare"}]}
        self.profile = directory / "profile.p7s"
        self.profile.write_bytes(cms.sign(encode_canonical(profile), signer, dt.datetime.now(dt.UTC)))
        desk = f'command_certificate = "{pki}/checkout.pem"\ncommand_key = "{pki}/checkout.key"\n'
        with self.config.open("a") as file:
            file.write(f'[desk]\n{desk}profile = "{self.profile}"\n')
        self.station = Process(self.config, "station").start()
        self.file = camera.record(1)
        data = (camera.spool / self.file.name).read_bytes()
        client = Client(self.station.port, pki)
        _, headers, _ = client.create(self.file.name, len(data))
        client.patch(headers["location"], 0, data, hashlib.sha256(data).digest())
        poll_until(lambda: client("HEAD", headers["location"], TUS)[1].get("firsthand-receipt"))
        self.stored = directory / "station/store" / self.file.name
        self.data = data


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, pki: Path) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("labels"), pki)
    yield made
    made.station.kill()


@pytest.mark.requirement("R5", "R31", "R40")
def test_labels_are_appended_with_who_and_when_and_nothing_is_edited(bench: Bench, pki: Path) -> None:
    done = dock("label", bench.config, ID, "--category", "welfare_check", "--case", "26-0815", "--who", "Det. Poe")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{bench.file.name} is labelled: category welfare_check, case 26-0815\n"
    assert dock("label", bench.config, ID, "--category", "use_of_force", "--officer", "4711").returncode == 0
    shown = dock("label", bench.config, ID).stdout.splitlines()
    assert [one[21:].split("  (")[0] for one in shown[:4]] == [
        "category: welfare_check",
        "case: 26-0815",
        "category: use_of_force",
        "officer: 4711",
    ]
    assert "Det. Poe (user " in shown[0]
    ledger = Ledger(ledger_files(bench.stored.parent.parent / "custody"), Trust.load(pki / "root.pem"))
    labels = [one.statement for one in ledger.entries() if one.statement.step == "labelled"]
    assert {one.details["close_hash"] for one in labels} == {bench.file.close_hash}
    assert {one.sha256 for one in labels} == {hashlib.sha256(bench.data).hexdigest()}
    assert bench.stored.read_bytes() == bench.data


@pytest.mark.requirement("R31")
def test_an_unknown_category_is_refused_with_the_list(bench: Bench) -> None:
    done = dock("label", bench.config, ID, "--category", "picnic")
    assert done.returncode == 1
    assert "'picnic' is no category of the agency's profile; there are: arrest_search, use_of_force" in done.stderr
    assert "welfare_check" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("SIM-0001-000099", "--note", "x"), "the station has no SIM-0001-000099.evidence"),
        (("SIM-0001-log-000001", "--note", "x"), "is a device log"),
        ((ID, "--note", "x" * 501), "length <= 500"),
        ((ID, "--category", "Use Of Force"), "matching regex"),
    ],
)
def test_what_cannot_be_a_label_is_refused(bench: Bench, arguments: tuple[str, ...], why: str) -> None:
    done = dock("label", bench.config, *arguments)
    assert done.returncode == 1
    assert why in done.stderr


def test_without_a_profile_a_category_is_taken_unchecked_and_a_false_profile_is_none(tmp_path: Path, pki: Path) -> None:
    with open_station(load_station(write_station(tmp_path, pki))) as station:
        labels = station.part(Labels)
        assert labels.categories() is None
        with pytest.raises(BadLabel, match="say what the label is"):
            labels.label(LabelArguments(id=ID), "user root")


def test_the_four_categories_of_the_policy_are_those_of_the_camera() -> None:
    assert tuple(one.name for one in D5B_CATEGORIES) == ALWAYS
