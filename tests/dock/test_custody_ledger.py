"""The custody ledger: signed and chained over many files; what a crash or a hand left is told and stops nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dock.station.custody import SOFTWARE, Custody
from dock.station.custody_index import FILE
from evidence.__main__ import main
from evidence.custody_ledger import CustodyEntry, Ledger, ledger_files
from evidence.custody_words import line
from evidence.errors import EvidenceError
from evidence.keys import FileSigner
from evidence.trust import Trust

Opener = Callable[..., Custody]
NAME = "SIM-0001-000001.evidence"


@pytest.fixture
def reopen(tmp_path: Path, pki: Path) -> Iterator[Opener]:
    signer = FileSigner.load(pki / "station-receipt.key", pki / "station-receipt.pem")
    opened: list[Custody] = []

    def make(**more: int) -> Custody:
        custody = Custody(tmp_path / "custody", signer, utc_ns=time.time_ns, **more)
        opened.append(custody)
        return custody

    yield make
    for one in opened:
        one.close()


def fill(custody: Custody, count: int, *, first: int = 0) -> list[CustodyEntry]:
    return [
        custody.enter("received", who="camera SIM-0001", serial="SIM-0001", name=f"SIM-0001-{place:06d}.evidence")
        for place in range(first, first + count)
    ]


def judged(tmp_path: Path, pki: Path) -> tuple[list[CustodyEntry], list[str]]:
    """What anyone sees, from the files and the root alone."""
    ledger = Ledger(ledger_files(tmp_path / "custody"), Trust.load(pki / "root.pem"))
    return [one.statement for one in ledger.entries()], ledger.findings


@pytest.mark.requirement("R40", "R38")
def test_every_entry_names_the_one_before_it_over_all_files_and_restarts(
    reopen: Opener, tmp_path: Path, pki: Path
) -> None:
    first = reopen(roll_bytes=5000)
    fill(first, 7)
    first.close()
    fill(reopen(roll_bytes=5000), 3, first=7)
    files = ledger_files(tmp_path / "custody")
    entries, findings = judged(tmp_path, pki)
    assert len(files) >= 3
    assert findings == []
    assert [one.seq for one in entries] == list(range(10))
    assert {one.software for one in entries} == {SOFTWARE}
    assert SOFTWARE.startswith("firsthand-dock 0.")


def test_a_file_is_found_without_reading_the_ledger_and_without_the_index_too(reopen: Opener, tmp_path: Path) -> None:
    custody = reopen(roll_bytes=5000)
    fill(custody, 9)
    custody.enter("receipt", who="station station-1", serial="SIM-0001", name=NAME)
    assert [one.step for one in custody.entries(NAME)] == ["received", "receipt"]
    assert len(custody.find(serial="SIM-0001")) == 10
    assert [one.name for one in custody.find(step="received", most=2)] == [
        f"SIM-0001-{number:06d}.evidence" for number in (7, 8)
    ]
    custody.close()
    for path in (tmp_path / "custody").glob(f"{FILE}*"):
        path.unlink()
    assert [one.step for one in reopen(roll_bytes=5000).entries(NAME)] == ["received", "receipt"]
    (tmp_path / "custody" / FILE).write_bytes(b"no database at all" * 100)
    assert [one.step for one in reopen(roll_bytes=5000).entries(NAME)] == ["received", "receipt"]


@pytest.mark.parametrize("torn", [b"\x30", b"\x30\x82\x05\x00half an entry", bytes(700)])
def test_what_a_crash_left_of_an_entry_is_set_aside_and_told(
    reopen: Opener, tmp_path: Path, pki: Path, torn: bytes
) -> None:
    fill(reopen(), 2)
    path = tmp_path / "custody/ledger-000001.custody"
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    again = reopen()
    fill(again, 1)
    entries, findings = judged(tmp_path, pki)
    assert findings == []
    assert [one.step for one in entries] == ["received", "received", "ledger_cut", "received"]
    kept = tmp_path / "custody" / entries[2].details["kept"]
    assert kept.read_bytes() == torn
    assert "set aside" in line(entries[2])


def test_a_ledger_damaged_in_its_middle_is_never_cut_and_goes_on_in_a_new_file(
    reopen: Opener, tmp_path: Path, pki: Path
) -> None:
    fill(reopen(), 5)
    path = tmp_path / "custody/ledger-000001.custody"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2 :] = b"\xff" * (len(damaged) - len(damaged) // 2)
    path.write_bytes(damaged)
    fill(reopen(), 1)
    assert path.read_bytes() == damaged
    entries, findings = judged(tmp_path, pki)
    assert [one.step for one in entries][-2:] == ["ledger_broken", "received"]
    assert "the last entry that holds is 1" in findings[0]


@pytest.mark.requirement("R40")
def test_a_ledger_whose_end_was_taken_away_is_missed(reopen: Opener, tmp_path: Path, pki: Path) -> None:
    custody = reopen()
    sizes = []
    for place in range(4):
        fill(custody, 1, first=place)
        sizes.append((tmp_path / "custody/ledger-000001.custody").stat().st_size)
    custody.catch_up()
    custody.close()
    path = tmp_path / "custody/ledger-000001.custody"
    path.write_bytes(path.read_bytes()[: sizes[1]])
    fill(reopen(), 1)
    entries, findings = judged(tmp_path, pki)
    assert [one.step for one in entries] == ["received", "received", "ledger_behind", "received"]
    assert entries[2].seq == 4
    assert "where entry 2 belongs" in findings[0]
    assert reopen().find(step="ledger_behind")[0].details == {"known": "3"}


@pytest.mark.requirement("R40")
def test_a_changed_entry_a_missing_file_and_a_foreign_signer_are_findings(
    reopen: Opener, tmp_path: Path, pki: Path, other_pki: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    custody = reopen(roll_bytes=3000)
    fill(custody, 6)
    place = tmp_path / "custody"
    check = ["custody", str(place), "--root", str(pki / "root.pem")]
    assert main(check) == 0
    assert custody.head.prev in capsys.readouterr().out
    assert main(["custody", str(place), "--root", str(other_pki / "root.pem")]) == 1
    second = ledger_files(place)[1]
    whole = second.read_bytes()
    second.write_bytes(whole.replace(b"000002.evidence", b"000009.evidence"))
    assert main(check) == 1
    second.unlink()
    capsys.readouterr()
    assert main(check) == 1
    assert "ledger-000002.custody is missing" in capsys.readouterr().err
    second.write_bytes(whole)
    assert main(check) == 0


def test_anyone_reads_the_chain_of_one_file_without_the_dock(
    reopen: Opener, tmp_path: Path, pki: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    custody = reopen(roll_bytes=3000)
    fill(custody, 4)
    custody.enter("hold", who="Sgt. Miller (user root)", name=NAME, details={"kind": "request", "reason": "FOIA 12"})
    command = ["custody", str(tmp_path / "custody"), "--root", str(pki / "root.pem"), "--about", NAME[:-9]]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert f"Sgt. Miller (user root)  {NAME}: put on hold (request): FOIA 12" in told
    assert "SIM-0001-000002" not in told
    assert main([*command, "--json"]) == 0
    *rows, verdict = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert [one["step"] for one in rows] == ["received", "hold"]
    assert verdict == {"entries": 5, "head": custody.head.prev, "whole": True, "findings": []}
    later = ledger_files(tmp_path / "custody")[1]
    assert main(["custody", str(later), "--root", str(pki / "root.pem")]) == 0
    assert "earlier files were not given" in capsys.readouterr().out


def test_what_an_index_names_must_still_stand_there(reopen: Opener, tmp_path: Path) -> None:
    custody = reopen()
    fill(custody, 3)
    custody.catch_up()
    path = tmp_path / "custody/ledger-000001.custody"
    path.write_bytes(path.read_bytes().replace(b"SIM-0001-000001", b"SIM-0001-000007"))
    with pytest.raises(EvidenceError):
        custody.entries(NAME)


def test_an_entry_that_nobody_has_words_for_is_told_as_it_stands(reopen: Opener) -> None:
    entry = reopen().enter("moved_house", who="user root", details={"to_street": "Elm"})
    assert line(entry).endswith("user root  moved house (to street Elm)")
    assert "labelled" in line(reopen().enter("labelled", who="user root"))


_ENTERING = """
import sys, time
from pathlib import Path
from dock.station.custody import Custody, Step
from evidence.keys import FileSigner

signer = FileSigner.load(Path(sys.argv[2]), Path(sys.argv[3]))
custody = Custody(Path(sys.argv[1]), signer, utc_ns=time.time_ns, roll_bytes=20_000)
while True:
    entries = custody.enter_all([Step("received", "camera SIM-0001"), Step("receipt", "station station-1")])
    print(entries[-1].seq, flush=True)
    custody.catch_up()
"""


@pytest.mark.requirement("R38", "R40")
def test_what_was_acknowledged_survives_kills(tmp_path: Path, pki: Path) -> None:
    """R38: kills while it writes; both steps of an event are there, or neither."""
    key, certificate = pki / "station-receipt.key", pki / "station-receipt.pem"
    acknowledged = -1
    for kill in range(6):
        command = [sys.executable, "-c", _ENTERING, str(tmp_path / "custody"), str(key), str(certificate)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for _ in range(3 + 2 * kill):
            acknowledged = int(child.stdout.readline())
        child.kill()
        child.wait()
        child.stdout.close()
    entries, findings = judged(tmp_path, pki)
    assert findings == []
    assert [one.seq for one in entries] == list(range(len(entries)))
    assert len(entries) > acknowledged
    steps = [one.step for one in entries if one.step != "ledger_cut"]
    assert steps == ["received", "receipt"] * (len(steps) // 2)


def test_an_index_that_cannot_be_kept_stops_nothing(reopen: Opener, tmp_path: Path) -> None:
    (tmp_path / "custody" / FILE).mkdir(parents=True)
    custody = reopen()
    fill(custody, 2)
    assert [one.step for one in custody.entries(NAME)] == ["received"]


def test_every_sentence_is_told_whole_and_falls_back_to_the_bare_word(reopen: Opener) -> None:
    """Details that a step lacks cost its sentence, never the entry; hashes are told by their first digits."""
    custody = reopen()
    whole = custody.enter("archived", who="station a", details={"store": "s3:b", "stored": "x", "verdict": "valid"})
    assert "stored in the archive s3:b as x, and read back with the same digest, verdict valid" in line(whole)
    assert line(custody.enter("archived", who="station a", details={"store": "s3:b"})).endswith("archived (store s3:b)")
    hashed = custody.enter("proof_given", who="camera c", details={"proof": "ab" * 32})
    assert "ab" * 7 not in line(hashed)
    assert "abababababab…" in line(hashed)
