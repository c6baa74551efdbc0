"""firsthand-fleet flash --identity-only: a new token for a card that stays what it is (docs/flash.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from card_bench import FIRST, MIB, CardBench, make_bench, run

from fleet.__main__ import main
from fleet.camera_identity import drop_token

SERIAL = "CAM-0042"
NEW = "another-token-of-the-authority"
WHY = ("--again", "token ran out")


@pytest.fixture(scope="module")
def made() -> dict[str, CardBench]:
    return {}


@pytest.fixture
def bench(
    made: dict[str, CardBench], tool: Callable[[str], str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> CardBench:
    if not made:
        made["one"] = make_bench(tmp_path_factory.mktemp("identity"), tool)
    return made["one"].copy(tmp_path / "table")


@pytest.fixture
def card(bench: CardBench, capsys: pytest.CaptureFixture[str]) -> Path:
    """A camera's card that has been in the camera: there is something on its data partition."""
    card = bench.card("card")
    assert bench.flash([card], [SERIAL]) == 0
    with card.open("r+b") as file:
        file.seek(22 * MIB)
        file.write(b"what the camera wrote")
    capsys.readouterr()
    return card


def renew(bench: CardBench, device: Path, *more: str, serial: str = SERIAL, token: str = NEW) -> int:
    words = bench.words([device], [serial])
    words.remove(str(bench.image))
    words += ["--token-file", str(bench.token(serial, token)), "--identity-only", "--allow-file"]
    return main([*words, *more])


@pytest.fixture
def loop(as_root: None, tool: Callable[[str], str]) -> Iterator[Callable[[Path], Path]]:
    attached: list[str] = []

    def attach(path: Path) -> Path:
        attached.append(run(tool("losetup"), "-f", "--show", path).decode().strip())
        return Path(attached[-1])

    yield attach
    for one in attached:
        run(tool("losetup"), "-d", one)


@pytest.mark.needs_root
@pytest.mark.requirement("R6")
def test_a_card_gets_a_new_token_and_nothing_else_is_touched(
    bench: CardBench, card: Path, loop: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before, old = card.read_bytes(), bench.identity_on(card)
    assert renew(bench, loop(card), *WHY) == 0
    said = capsys.readouterr()
    assert "new identity; nothing else on the card was changed" in said.out
    assert NEW not in said.out + said.err + bench.log.read_text()
    after, new = card.read_bytes(), bench.identity_on(card)
    assert new["enrol"].pop("token") == NEW
    assert old["enrol"].pop("token") != NEW
    assert new == old
    assert after[:FIRST] == before[:FIRST]
    assert after[FIRST + 8 * MIB :] == before[FIRST + 8 * MIB :]
    assert bench.file_on(card, "autoboot.txt") == b"[all]\nboot_partition=2\n"
    assert bench.file_on(card, "agency/root.pem") == (bench.agency / "root.pem").read_bytes()
    entry = json.loads(bench.log.read_text().splitlines()[-1])
    assert (entry["kind"], entry["result"], entry["serial"], entry["why"]) == ("identity", "ready", SERIAL, WHY[1])
    assert main(["assets", str(bench.log)]) == 0


def test_the_vehicle_stays_unless_another_is_named(bench: CardBench) -> None:
    card = bench.card("card")
    assert bench.flash([card], [SERIAL], "--vehicle", "UNIT-12") == 0
    assert renew(bench, card, *WHY, "--station", "https://new.hartford.example:8443") == 0
    identity = bench.identity_on(card)
    assert (identity["vehicle"], identity["station"]["url"]) == ("UNIT-12", "https://new.hartford.example:8443")
    assert renew(bench, card, *WHY, "--vehicle", "UNIT-13") == 0
    assert bench.identity_on(card)["vehicle"] == "UNIT-13"


@pytest.mark.requirement("R38")
@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("another camera's", "the card is of the camera CAM-0042, not CAM-0043"),
        ("another board's", "the card is of the board bodycam-zero2w, not dashcam-pi5"),
        ("enrolled", "CAM-0042 has enrolled with this card"),
        ("another agency's", "of another agency"),
        ("never finished", "does not say whose it is"),
        ("garbled", "does not say whose it is"),
        ("blank", "is no camera's card"),
        ("not in the log", "is not in"),
        ("larger", "onto a card of 33554432 bytes"),
    ],
)
def test_a_card_that_is_not_this_cameras_to_renew_is_refused_untouched(
    bench: CardBench,
    card: Path,
    tool: Callable[[str], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    which: str,
    words: str,
) -> None:
    serial, more = SERIAL, list(WHY)
    inside = f"{card}@@{FIRST}"
    if which == "another camera's":
        serial = "CAM-0043"
        assert bench.flash([bench.card("other")], [serial]) == 0
    elif which == "another board's":
        more += ["--board", "dashcam-pi5"]
    elif which == "enrolled":
        (tmp_path / "identity.toml").write_bytes(bench.file_on(card, "identity.toml"))
        drop_token(tmp_path)
        run(tool("mcopy"), "-o", "-i", inside, tmp_path / "identity.toml", "::identity.toml")
    elif which == "another agency's":
        run(tool("mcopy"), "-o", "-i", inside, bench.pki / "camera.pem", "::agency/root.pem")
    elif which == "never finished":
        run(tool("mdel"), "-i", inside, "::identity.toml")
    elif which == "garbled":
        run(tool("mcopy"), "-o", "-i", inside, "-", "::identity.toml", given=b"serial = \xff[[[")
    elif which == "blank":
        card.write_bytes(bytes(card.stat().st_size))
    elif which == "not in the log":
        more += ["--assets", str(tmp_path / "other.jsonl")]
    elif which == "larger":
        with card.open("ab") as file:
            file.truncate(40 * MIB)
    before = card.read_bytes()
    capsys.readouterr()
    assert renew(bench, card, *more, serial=serial) == 1
    said = capsys.readouterr()
    assert words in said.out
    assert "token-of" not in said.out + said.err
    assert card.read_bytes() == before


def test_a_reason_is_asked_for_and_an_image_without_a_card_is_wrong_usage(
    bench: CardBench, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        renew(bench, card)
    assert stopped.value.code == 64
    assert "say why" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main([*bench.words([], []), "--serial", SERIAL])
    assert stopped.value.code == 64
    assert "name the card too" in capsys.readouterr().err


def test_one_card_that_is_refused_does_not_stop_the_others(
    bench: CardBench, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = bench.card("other")
    assert bench.flash([other], ["CAM-0043"]) == 0
    words = bench.words([bench.card("blank"), other], [SERIAL, "CAM-0043"])
    words.remove(str(bench.image))
    for serial in (SERIAL, "CAM-0043"):
        words += ["--token-file", str(bench.token(serial, f"{NEW}-{serial}"))]
    assert main([*words, "--identity-only", "--allow-file", *WHY]) == 1
    assert f"FAILED: {bench.directory}/blank is no camera's card" in capsys.readouterr().out
    assert bench.identity_on(other)["enrol"]["token"] == f"{NEW}-CAM-0043"
