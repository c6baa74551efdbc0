"""Small files of the state directory: whatever stands in them, nothing but one sentence comes of it (invariant 13)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.state_file import StateUnreadable, read_state, write_state


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    words: tuple[str, ...] = ()


def test_what_was_written_is_read_and_no_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "state" / "kept.json"
    assert read_state(path, Kept) is None
    write_state(path, Kept(7, ("a", "b")))
    assert read_state(path, Kept) == Kept(7, ("a", "b"))
    assert path.parent.stat().st_mode & 0o007 == 0, "nobody else reads it"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"[]", b'{"number":"x"}', b'{"number":1,"more":2}', b"[" * 60_000, b"\xff\xfe",
        b'{"number":1}' + b" " * 70_000,
    ],
    ids=["empty", "null", "list", "type", "unknown key", "nested", "no text", "too large"],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kept.json"
    path.write_bytes(content)
    with pytest.raises(StateUnreadable, match=r"^kept\.json cannot be read \(") as told:
        read_state(path, Kept)
    assert "\n" not in str(told.value)


def test_a_directory_in_its_place_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(StateUnreadable, match="cannot be read"):
        read_state(tmp_path, Kept)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"firsthand-state-{os.getpid()}.json"
    try:
        path.write_bytes(data)
        with contextlib.suppress(StateUnreadable):
            assert read_state(path, Kept) is not None
    finally:
        path.unlink(missing_ok=True)
