"""Files are read by two threads, one that hashes and one that judges or exports: nothing but the time may differ."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from recordings import Agency

import evidence.cli.export as export_verb
import evidence.verify as verify
from evidence.__main__ import main
from evidence.export.ahead import ITEMS, Ahead
from evidence.trust import Trust
from evidence.verify import Report, StreamVerifier, verify_file

Record = Callable[..., Path]


def at_once(path: Path, trust: Trust) -> Report:
    """Fed in one piece, hashed where it is judged."""
    verifier = StreamVerifier(trust, path.name)
    verifier.feed(path.read_bytes())
    return verifier.finish()


def whole(data: bytes) -> bytes:
    return data


def flipped(data: bytes) -> bytes:
    return data[:9000] + bytes([data[9000] ^ 1]) + data[9001:]


def cut(data: bytes) -> bytes:
    return data[:-1500]


def foreign(data: bytes) -> bytes:
    return bytes(range(256)) * (len(data) // 256)


@pytest.mark.parametrize("change", [whole, flipped, cut, foreign])
def test_the_verdict_is_the_same_when_the_file_is_hashed_beside(
    agency: Agency, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(verify, "READ_BYTES", 4096)
    path = tmp_path / recording.name
    path.write_bytes(change(recording.read_bytes()))
    trust = Trust.load(agency.directory / "root.pem")
    beside, alone = verify_file(path, trust), at_once(path, trust)
    assert (beside.valid, beside.findings, beside.sha256) == (alone.valid, alone.findings, alone.sha256)
    assert (beside.statements, beside.frames, beside.close_hash) == (alone.statements, alone.frames, alone.close_hash)
    assert beside.valid == (change is whole)


def test_a_file_that_was_exchanged_after_its_verification_is_not_exported(
    agency: Agency, recording: Path, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every signature and commitment of the other file holds: only the hash of what was judged tells them apart."""
    path, other = tmp_path / "taken" / recording.name, record(seconds=3)
    path.parent.mkdir()
    shutil.copy(recording, path)
    judged = export_verb.read_through

    def exchanged(*arguments: Any) -> Any:
        found = judged(*arguments)
        shutil.copy(other, path)
        return found

    monkeypatch.setattr(export_verb, "read_through", exchanged)
    keys = ["--vault-cert", agency.file("vault.pem"), "--vault-key", agency.file("vault.key")]
    out = tmp_path / "out"
    assert main(["export", str(path), "--root", agency.file("root.pem"), *keys, "--out", str(out)]) != 0
    assert list(out.iterdir()) == []


def test_items_come_in_order_and_then_what_stopped_them() -> None:
    def numbers() -> Iterator[int]:
        yield from range(3 * ITEMS)
        raise OSError("the card was pulled out")

    taken: list[int] = []
    with Ahead(numbers()) as items:
        one_after_the_other = iter(items)
        taken += [next(one_after_the_other) for _ in range(3 * ITEMS)]
        with pytest.raises(OSError, match="pulled out"):
            next(one_after_the_other)
    assert taken == list(range(3 * ITEMS))


def test_who_stops_half_way_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with Ahead(iter(range(10**9))) as items:
        assert next(iter(items)) == 0
    assert threading.active_count() == before
