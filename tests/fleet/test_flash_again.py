"""Cards in numbers: serials from a list, a card named twice, and a serial that has a card already."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from card_bench import CARD_BYTES, CardBench, make_bench

from fleet.__main__ import main


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CardBench]:
    return {}


@pytest.fixture
def bench(made: dict[str, CardBench], tool: Callable[[str], str], tmp_path: Path, tmp_path_factory) -> CardBench:  # type: ignore[no-untyped-def]
    if not made:
        made["one"] = make_bench(tmp_path_factory.mktemp("again"), tool)
    return made["one"].copy(tmp_path / "table")


def test_serials_come_from_a_list_in_the_order_of_the_cards(bench: CardBench) -> None:
    cards = [bench.card(f"card-{place}") for place in range(3)]
    serials = ["CAM-0041", "CAM-0042", "CAM-0043"]
    (bench.directory / "serials").write_text("CAM-0041\n\n  CAM-0042\nCAM-0043")
    words = [*bench.words(cards, []), "--serials", str(bench.directory / "serials"), "--allow-file"]
    for serial in serials:
        words += ["--token-file", str(bench.token(serial))]
    assert main(words) == 0
    assert [bench.identity_on(card)["serial"] for card in cards] == serials


def test_a_list_that_is_none_is_refused(bench: CardBench, capsys: pytest.CaptureFixture[str]) -> None:
    card = bench.card("card")
    (bench.directory / "serials").write_bytes(b"cam-42;\xff")
    words = [*bench.words([card], []), "--serials", str(bench.directory / "serials"), "--allow-file"]
    assert main([*words, "--token-file", str(bench.token("CAM-0042"))]) == 1
    assert "is no serial: capital letters" in capsys.readouterr().err


def test_a_card_that_is_named_twice_is_refused(bench: CardBench, capsys: pytest.CaptureFixture[str]) -> None:
    card, other = bench.card("card"), bench.directory / "other-name"
    other.symlink_to(card)
    assert bench.flash([card, other], ["CAM-0041", "CAM-0042"]) == 1
    assert "named twice" in capsys.readouterr().err
    assert card.read_bytes() == b"\xa5" * CARD_BYTES


def test_a_serial_gets_a_second_card_only_for_a_reason(bench: CardBench, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = bench.card("first"), bench.card("second")
    assert bench.flash([first], ["CAM-0042"]) == 0
    assert bench.flash([second], ["CAM-0042"]) == 1
    assert "CAM-0042 was flashed on" in capsys.readouterr().out
    assert second.read_bytes() == b"\xa5" * CARD_BYTES, "not a byte was written"
    assert bench.flash([second], ["CAM-0042"], "--again", "the first one was crushed") == 0
    assert bench.identity_on(second)["serial"] == "CAM-0042"
    lines = [json.loads(line) for line in bench.log.read_text().splitlines()]
    assert [one["result"] for one in lines] == ["began", "ready", "began", "ready"]
    assert lines[-1]["again"] == "the first one was crushed"
    assert {one["technician"] for one in lines} == {"T. Example"}


def test_a_token_file_that_others_can_read_is_refused(bench: CardBench, capsys: pytest.CaptureFixture[str]) -> None:
    card, token = bench.card("card"), bench.token("CAM-0042")
    token.chmod(0o644)
    words = [*bench.words([card], ["CAM-0042"]), "--allow-file", "--token-file", str(token)]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "can be read by others" in said
    assert "passphrase" not in said
    token.chmod(0o600)
    token.write_text("two words\n")
    assert main(words) == 1
    assert "what firsthand-fleet enrol-token printed" in capsys.readouterr().err
