"""Whatever bytes come in: the parsers answer with an `EvidenceError` or a value, and chunking changes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recordings import Agency

from evidence import der
from evidence.cms import check_signature, parse_signed
from evidence.errors import EvidenceError
from evidence.export.items import Rest, StatementItem, walk
from evidence.sealed import parse_sealed, seal
from evidence.splitter import Item, Splitter
from evidence.statements import decode
from evidence.verify import StreamVerifier

SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
NOISE = st.binary(max_size=200)


@st.composite
def edits(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A few overwritten, inserted or removed bytes somewhere."""
    places = draw(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 6), NOISE), max_size=4))

    def edit(data: bytes) -> bytes:
        for where, removed, put in places:
            at = int(where * len(data))
            data = data[:at] + put[:8] + data[at + removed :]
        return data

    return edit


def split(data: bytes, sizes: list[int]) -> tuple[list[Item], str | None]:
    """The items of `data` in pieces of these sizes (the last one repeated), and the error that ended them."""
    splitter, items, at, turn = Splitter(), [], 0, 0
    try:
        while at < len(data):
            size = sizes[min(turn, len(sizes) - 1)]
            for item in splitter.feed(data[at : at + size]):
                items.append(item)  # noqa: PERF402 - what was found before an error counts
            at, turn = at + size, turn + 1
    except EvidenceError as error:
        return items, str(error)
    return items, None


@pytest.fixture(scope="module")
def statement(recording: Path) -> bytes:
    with recording.open("rb") as file:
        first = next(walk(file))
    return recording.read_bytes()[: first.size]


@SETTINGS
@given(NOISE)
def test_der_is_read_or_refused(data: bytes) -> None:
    reader = der.Reader(data)
    try:
        while not reader.at_end:
            element = reader.element()
            assert bytes(element.whole) == der.header(element.tag, len(element.body)) + bytes(element.body)
    except EvidenceError:
        pass


@SETTINGS
@given(edits())
def test_an_edited_statement_is_the_same_or_refused(statement: bytes, edit: Callable[[bytes], bytes]) -> None:
    altered = edit(statement)
    try:
        message = parse_signed(altered)
        check_signature(message)
        decode(message.payload)
    except EvidenceError:
        return
    assert altered == statement


@SETTINGS
@given(NOISE)
def test_noise_is_no_statement_and_no_object(data: bytes) -> None:
    for parse in (parse_signed, parse_sealed, decode):
        with pytest.raises(EvidenceError):
            parse(data)


@SETTINGS
@given(edits())
def test_an_edited_object_is_parsed_or_refused(agency: Agency, edit: Callable[[bytes], bytes]) -> None:
    with contextlib.suppress(EvidenceError):
        parse_sealed(edit(bytes(seal([b"content" * 9], [agency.recipient]))))


@SETTINGS
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=8))
def test_json_of_any_shape_is_no_statement(value: object) -> None:
    import json

    with pytest.raises(EvidenceError):
        decode(json.dumps({"kind": "open", "v": value}).encode("utf-8", "surrogatepass"))


@SETTINGS
@given(edits(), st.lists(st.integers(1, 5000), min_size=1, max_size=8))
def test_chunking_changes_nothing(recording: Path, edit: Callable[[bytes], bytes], sizes: list[int]) -> None:
    data = edit(recording.read_bytes()[:40_000])
    assert split(data, sizes) == split(data, [len(data) + 1])


def test_byte_by_byte_gives_the_same_items(recording: Path, agency: Agency) -> None:
    data = recording.read_bytes()[:20_000]
    assert split(data, [1]) == split(data, [20_000])
    verifier = StreamVerifier(agency.trust)
    for byte in range(len(data)):
        verifier.feed(data[byte : byte + 1])
    assert "the file ends inside it" in verifier.finish().findings[0]


@SETTINGS
@given(edits())
def test_walking_covers_every_byte_of_any_file(recording: Path, tmp_path: Path, edit: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "x.evidence"
    path.write_bytes(edit(recording.read_bytes()[:30_000]))
    with path.open("rb") as file:
        items = list(walk(file))
    assert sum(item.size for item in items) == path.stat().st_size
    assert [item.number for item in items] == list(range(len(items)))
    assert not any(isinstance(item, Rest) for item in items[:-1])
    assert all(item.problem for item in items if isinstance(item, StatementItem) and item.statement is None)


@SETTINGS
@given(st.binary(max_size=400))
def test_a_verifier_never_raises_for_what_the_bytes_hold(agency: Agency, data: bytes) -> None:
    verifier = StreamVerifier(agency.trust, "x")
    verifier.feed(data)
    assert not verifier.finish().valid
