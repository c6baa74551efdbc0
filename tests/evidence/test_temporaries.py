"""What a writer that was killed left under a temporary name goes at the next start (found by the kill bench)."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence import durable


@pytest.mark.requirement("R38")
def test_what_killed_writers_left_is_cleared_and_nothing_else_is_touched(tmp_path: Path) -> None:
    for left in (".counters.json.4711.tmp", ".SIM-0001-000001.evidence.tail-12-ab.tmp"):
        (tmp_path / left).write_bytes(b"half")
    kept = (".reserve", "counters.json", "a.tmp", ".tmp", ".a.evidence.0123456789abcdef.part", ".counters.json")
    for name in kept:
        (tmp_path / name).write_bytes(b"whole")
    (tmp_path / ".being-built.12.tmp").mkdir()
    durable.clear_temporaries(tmp_path, tmp_path / "that is not there")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, ".being-built.12.tmp"])
    assert all((tmp_path / name).read_bytes() == b"whole" for name in kept)


def test_a_death_between_writing_and_naming_leaves_one_file_that_the_next_start_clears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dead(BaseException):
        pass

    class DiesBeforeNaming(durable.OperatingSystem):
        def replace(self, old: Path, new: Path) -> None:
            raise Dead

    before = durable.install(DiesBeforeNaming())
    try:
        for life in range(3):
            monkeypatch.setattr("os.getpid", lambda life=life: 1000 + life)
            with pytest.raises(Dead):
                durable.replace(tmp_path / "state.json", b"new")
    finally:
        durable.install(before)
    assert len(list(tmp_path.iterdir())) == 3, "each life has a name of its own"
    durable.clear_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == []
