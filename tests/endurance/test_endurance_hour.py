"""The real hour's own eyes: what they see of a process, and that a frame that is missing or altered is found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evidence.export.decrypt import Vault
from evidence.trust import Trust

GROWS = """
import sys, threading
print("ready", flush=True)
sys.stdin.readline()
threading.Thread(target=threading.Event().wait, daemon=True).start()
file = open(sys.argv[1], "rb")
print("grown", flush=True)
sys.stdin.readline()
"""
HERE = Path(__file__).resolve().parent
BENCHMARKS = HERE.parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(HERE))
    yield
    for name in ("figures", "pipeline", "replay", "picture_check", "process_use", "unit_place"):
        sys.modules.pop(name, None)


def test_descriptors_threads_and_memory_of_a_process_are_seen(tmp_path: Path) -> None:
    """Of a process that does nothing else: this one may end a thread, or close a file, at any time."""
    from process_use import disk_bytes, opened, use

    (tmp_path / "file").write_bytes(os.urandom(100_000))
    command = [sys.executable, "-c", GROWS, str(tmp_path / "file")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            before = use(process.pid)
            process.stdin.write(b"grow\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"grown\n"
            after = use(process.pid)
            assert opened(process.pid)[str(tmp_path / "file")] == 1
        finally:
            process.kill()
    assert use().descriptors > 2, "and of this one"
    assert after.descriptors == before.descriptors + 1
    assert after.threads == before.threads + 1
    assert 0 < after.anon_mib <= after.rss_mib
    assert 100_000 <= disk_bytes(tmp_path) < 200_000


def test_the_place_among_others_is_the_units_own() -> None:
    from unit_place import unit_value

    assert int(unit_value("Nice")) < 0, "the recorder comes before what computes beside it"
    assert int(unit_value("CPUWeight")) > 100
    with pytest.raises(KeyError, match="has no Color="):
        unit_value("Color")


@pytest.mark.requirement("R22")
def test_each_frame_of_a_recording_is_found_again_and_one_that_was_altered_or_is_missing_is_seen(
    tmp_path: Path, tool: Callable[[str], str]
) -> None:
    tool("ffmpeg")
    import pipeline
    import replay
    from picture_check import check, slices_of_stream

    stream = replay.Stream(replay.encode(tmp_path / "small.h264", width=320, height=180, bitrate=300_000))
    made = pipeline.Pipeline(tmp_path, stream)
    with made.recorder() as recorder:
        made.record(recorder, 3)
    pki = tmp_path / "pki"
    files = sorted(tmp_path.glob("*.evidence"))
    trust, vault = Trust.load(pki / "root.pem"), Vault.load(pki / "vault.pem", pki / "vault.key")
    slices = slices_of_stream(lambda number: stream.frame(number, 0).data, len(stream))

    found = check(files, trust, vault, slices)
    assert (found.files, found.frames, found.first, found.last) == (1, 90, 0, 89)
    assert (found.missing, found.altered, found.twice, found.gaps, found.faults) == ([], 0, 0, [], [])

    assert check(files, trust, vault, [*slices[:40], (b"another",), *slices[41:]]).altered == 1
    assert check(files * 2, trust, vault, slices).twice > 0
