"""firsthand-fleet flash: from a signed image to cards of known cameras (docs/flash.md)."""

from __future__ import annotations

import errno
import io
import json
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agency_on_disk import Agency
from card_bench import BOARD, CARD_BYTES, FIRST, IMAGE_BYTES, MIB, TOKEN, CardBench, make_bench, run

from evidence import cms
from evidence.statements import encode_canonical
from fleet.__main__ import _parser, main
from fleet.camera_identity import load_identity
from fleet.errors import CardFailed, FlashInterrupted
from fleet.flash.card import inspect, open_alone
from fleet.flash.card_writer import HEAD, CardWriter
from fleet.flash.manifest import ImageManifest
from fleet.tokens import check_token


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[str], str]], CardBench]:
    made: list[CardBench] = []

    def make(tool: Callable[[str], str]) -> CardBench:
        if not made:
            made.append(make_bench(tmp_path_factory.mktemp("flash"), tool))
        return made[0]

    return make


@pytest.fixture
def bench(table: Callable[..., CardBench], tool: Callable[[str], str], tmp_path: Path) -> CardBench:
    """Image, agency and an asset log of this test's own."""
    return table(tool).copy(tmp_path / "table")


@pytest.fixture
def loop(as_root: None, tool: Callable[[str], str]) -> Iterator[Callable[..., Path]]:
    """Attaches a file as a block device: `loop(path, "-r")`."""
    attached: list[str] = []

    def attach(path: Path, *more: str) -> Path:
        attached.append(run(tool("losetup"), "-f", "--show", *more, path).decode().strip())
        return Path(attached[-1])

    yield attach
    for one in attached:
        run(tool("losetup"), "-d", one)


def untouched(card: Path) -> bool:
    return card.read_bytes() == b"\xa5" * CARD_BYTES


@pytest.mark.needs_root
@pytest.mark.requirement("R6", "R41")
def test_two_cards_become_cameras_at_once(
    bench: CardBench, loop: Callable[..., Path], tool: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    cards = [bench.card("one"), bench.card("two")]
    devices = [loop(card) for card in cards]
    labels = bench.directory / "labels.pdf"
    assert bench.flash(devices, ["CAM-0042", "CAM-0043"], "--label-printer", str(labels)) == 0
    said = capsys.readouterr()
    assert labels.read_bytes().startswith(b"%PDF")
    image = bench.raw.read_bytes()
    for card, serial in zip(cards, ("CAM-0042", "CAM-0043"), strict=True):
        data = card.read_bytes()
        assert data[:512] == image[:512]
        assert data[10 * MIB : IMAGE_BYTES].rstrip(b"\0") == image[10 * MIB :].rstrip(b"\0")
        identity = bench.identity_on(card)
        assert (identity["v"], identity["serial"], identity["board"]) == (1, serial, BOARD)
        assert identity["enrol"]["token"] == f"{TOKEN}{serial.lower()}"
        assert len(identity["enrol"]["ca_sha256"]) == 64
        assert identity["enrol"]["key_level"] == "file"
        assert identity["station"] == {"url": "https://dock.hartford.example:8443", "system_id": "hartford-dock-1"}
        for name in ("root.pem", "vault-1.pem", "profile.p7s"):
            assert bench.file_on(card, f"agency/{name}") == (bench.agency / name).read_bytes()
        assert bench.file_on(card, "autoboot.txt") == b"[all]\nboot_partition=2\n"
        run(tool("fsck.vfat"), "-n", _first(card))
    assert TOKEN not in said.out + said.err + bench.log.read_text()


def _first(card: Path) -> Path:
    partition = card.with_suffix(".fat")
    partition.write_bytes(card.read_bytes()[FIRST : FIRST + 8 * MIB])
    return partition


def test_a_plain_image_without_a_map_is_written_whole(bench: CardBench) -> None:
    plain = bench.raw.rename(bench.directory / "plain.img")
    card = bench.card("card")
    assert bench.sign(plain) == 0
    assert bench.flash([card], ["CAM-0042"], image=plain) == 0
    assert card.read_bytes()[10 * MIB : IMAGE_BYTES] == plain.read_bytes()[10 * MIB :]


def test_the_authority_makes_the_token_and_its_server_would_take_it(bench: CardBench, agency: Agency) -> None:
    card = bench.card("card")
    assert main([*bench.words([card], ["CAM-0042"]), "--allow-file", "--ca", str(agency.ca)]) == 0
    text = bench.identity_on(card)["enrol"]["token"]
    found = check_token(agency.store().register, "CAM-0042", text, 0)
    assert (found.serial, found.level) == ("CAM-0042", "file")


def test_the_first_boot_reads_what_was_written(bench: CardBench, tmp_path: Path) -> None:
    """A dash camera with a secure element: nothing that a person says is lost on the way."""
    card = bench.card("card")
    element = "pkcs11:token=camera;object=evidence?module-path=/usr/lib/token.so"
    more = ["--vehicle", 'Car 12 "K9"', "--key-level", "non_exportable", "--secure-element", element]
    assert bench.flash([card], ["CAM-0042"], *more) == 0
    (tmp_path / "identity.toml").write_bytes(bench.file_on(card, "identity.toml"))
    identity = load_identity(tmp_path)
    assert (identity.serial, identity.board, identity.vehicle) == ("CAM-0042", BOARD, 'Car 12 "K9"')
    assert (identity.enrol.key_level, identity.enrol.secure_element) == ("non_exportable", element)
    assert identity.station is not None
    assert identity.station.url == "https://dock.hartford.example:8443"


@pytest.mark.parametrize("altered", ["image", "map", "manifest", "role", "board", "missing", "bomb", "short"])
def test_an_image_that_is_not_the_released_one_is_never_written(
    bench: CardBench, altered: str, capsys: pytest.CaptureFixture[str]
) -> None:
    card, more = bench.card("card"), []
    manifest, map_ = bench.directory / "camera.img.zst.p7s", bench.directory / "camera.img.bmap"
    verified = bench.verified().manifest
    match altered:
        case "image":
            data = bytearray(bench.image.read_bytes())
            data[len(data) // 2] ^= 1
            bench.image.write_bytes(data)
        case "map":
            map_.write_text(map_.read_text().replace("<Range", "<!-- --><Range", 1))
        case "manifest":
            data = bytearray(manifest.read_bytes())
            data[-10] ^= 1
            manifest.write_bytes(data)
        case "role":
            manifest.write_bytes(signed(bench, verified, "camera"))
        case "board":
            more = ["--board", "dashcam-pi5"]
        case "missing":
            manifest.unlink()
        case "bomb" | "short":
            claimed = 12 * MIB if altered == "bomb" else 26 * MIB
            lie = {"raw_bytes": claimed, "bmap_sha256": None}
            manifest.write_bytes(signed(bench, changed(verified, **lie), "release"))
    wanted = {
        "image": "is not the image that was signed",
        "map": "is not the block map that was signed",
        "manifest": "signature does not hold",
        "role": "has the camera role, not release",
        "board": "is for the board bodycam-zero2w, and the cameras are dashcam-pi5",
        "missing": "without its signature is not written",
        "bomb": "what is in the image is not what was signed",
        "short": "unpacks to less than it should",
    }[altered]
    status = bench.flash([card], ["CAM-0042"], *more)
    assert status == 1
    said = capsys.readouterr()
    assert wanted in said.err + said.out
    if altered in ("bomb", "short"):
        assert card.read_bytes()[:HEAD] == bytes(HEAD), "no partition table"
        assert json.loads(bench.log.read_text().splitlines()[-1])["result"] == "failed"
    else:
        assert untouched(card)
        assert not bench.log.exists()


def changed(manifest: ImageManifest, **values: Any) -> ImageManifest:
    return ImageManifest(**{name: values.get(name, getattr(manifest, name)) for name in manifest.__struct_fields__})


def signed(bench: CardBench, manifest: ImageManifest, who: str) -> bytes:
    import datetime as dt

    from evidence.keys import FileSigner

    signer = FileSigner.load(bench.pki / f"{who}.key", bench.pki / f"{who}.pem")
    return cms.sign(encode_canonical(manifest), signer, dt.datetime.now(dt.UTC))


def test_only_the_release_role_signs_images(bench: CardBench, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sign-image", str(bench.image), "--board", BOARD, "--version", "1.4.2"]
    keys = ["--key", str(bench.pki / "profile.key"), "--cert", str(bench.pki / "profile.pem")]
    assert main([*words, *keys]) == 1
    assert "not a certificate of the release role" in capsys.readouterr().err


# -- cards that fail


@pytest.mark.needs_root
def test_a_byte_that_the_card_does_not_keep_is_found(bench: CardBench, loop: Callable[..., Path]) -> None:
    path = bench.card("card")
    card = inspect(loop(path))
    image, descriptor = bench.verified(), open_alone(card, IMAGE_BYTES)
    try:
        writer = CardWriter(card, descriptor)
        head = writer.write(image, lambda _: None)
        assert head[:512] == image_table(bench)
        bad = 14 * MIB + 77
        with path.open("r+b") as file:
            file.seek(bad)
            byte = file.read(1)
            file.seek(bad)
            file.write(bytes([byte[0] ^ 0x10]))
        with pytest.raises(CardFailed, match=f"bytes at {bad - bad % 65536} came back changed"):
            writer.verify(lambda _: None)
    finally:
        os.close(descriptor)
    assert path.read_bytes()[:HEAD] == bytes(HEAD), "a card that failed has no partition table"


def image_table(bench: CardBench) -> bytes:
    return run("zstd", "-dcq", bench.image)[:512]


@pytest.mark.needs_root
def test_a_card_whose_size_is_a_lie_fails_and_the_others_go_on(
    bench: CardBench, loop: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, good = tmp_path / "small", bench.card("good")
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=2M", "none", small)
    try:
        liar = small / "card"
        with liar.open("wb") as file:
            file.truncate(CARD_BYTES)
        devices = [loop(liar), loop(good)]
        assert bench.flash(devices, ["CAM-0042", "CAM-0043"]) == 1
        said = capsys.readouterr().out
        assert f"CAM-0042  {devices[0]}  FAILED: {devices[0]} does not" in said
        assert f"CAM-0043  {devices[1]}  ready" in said
        assert bench.identity_on(good)["serial"] == "CAM-0043"
        results = {(one["serial"], one["result"]) for one in map(json.loads, bench.log.read_text().splitlines())}
        assert {("CAM-0042", "failed"), ("CAM-0043", "ready")} <= results
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True, timeout=60)


def test_a_card_that_is_pulled_out_is_told(bench: CardBench, mocker: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing here can be pulled out: the kernel's answer to it is played."""
    card = bench.card("card")

    def pulled(*_: object) -> int:
        card.unlink(missing_ok=True)
        raise OSError(errno.ENODEV, "No such device")

    mocker.patch("fleet.flash.card_writer.os.pwrite", side_effect=pulled)
    assert bench.flash([card], ["CAM-0042"]) == 1
    assert "was pulled out: put it back" in capsys.readouterr().out


def test_a_card_given_up_in_the_middle_starts_nowhere(bench: CardBench) -> None:
    card, stop = inspect(bench.card("card"), allow_file=True), threading.Event()
    descriptor = open_alone(card, IMAGE_BYTES)
    try:
        with pytest.raises(FlashInterrupted, match="starts nowhere"):
            CardWriter(card, descriptor, stop).write(bench.verified(), lambda _: stop.set())
    finally:
        os.close(descriptor)
    assert card.path.read_bytes()[:HEAD] == bytes(HEAD)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C means what it means in a shell: another test, or a worker of tests, may have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_is_waited_for_and_entered(bench: CardBench, mocker: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Twice, by somebody impatient, while a card is read back: a real signal, at an instant that the test chooses."""

    def verify(self: CardWriter, told: Callable[[int], None]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert self._stop.wait(120)
        os.kill(os.getpid(), signal.SIGINT)
        self._check_stop()

    mocker.patch.object(CardWriter, "verify", verify)
    card = bench.card("card")
    assert bench.flash([card], ["CAM-0042"]) == 130
    assert card.read_bytes()[:HEAD] == bytes(HEAD)
    assert json.loads(bench.log.read_text().splitlines()[-1])["result"] == "interrupted"
    assert "given up" in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt):  # afterwards it means again what it always does
        signal.raise_signal(signal.SIGINT)  # to this thread, at once


# -- who asks


def test_nothing_is_erased_that_nobody_confirmed(
    bench: CardBench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    card = bench.card("card")
    words = [one for one in bench.words([card], ["CAM-0042"]) if one != "--yes"]
    words += ["--token-file", str(bench.token("CAM-0042")), "--allow-file"]
    monkeypatch.setattr("sys.stdin", Keyboard("32\n"))
    assert main(words) == 1
    assert "type its size in MB (34)" in capsys.readouterr().out
    assert untouched(card)
    monkeypatch.setattr("sys.stdin", io.StringIO("34\n"))
    assert main(words) == 1
    assert "nobody is there to confirm" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", Keyboard("34\n"))
    assert main(words) == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--serial", "CAM-0042"], "a serial is given twice"),
        (["--serial", "CAM-0043"], "2 serials for 1 cards"),
        (["--ca", "here"], "where the enrolment tokens come from"),
        (["--station", "http://dock"], "write https://HOST:PORT"),
        (["--label-printer", "label.gif"], "end in .pdf or .png"),
        (["--system-id", ""], "--system-id"),
        (["--key-level", "non_exportable"], "needs --secure-element"),
        (["--secure-element", "file"], "is a pkcs11: URI"),
        (["--vehicle", "12", "--vehicle", "13"], "2 vehicles for 1 cards"),
        (["--again", " "], "--again says why"),
        (["--board", "Pi 5"], "would not be read by a camera"),
    ],
)
def test_wrong_words_are_one_sentence(
    bench: CardBench, wrong: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    card = bench.card("card")
    assert bench.flash([card], ["CAM-0042"], *wrong) == 1
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert untouched(card)


@pytest.mark.requirement("R41")
def test_no_private_key_goes_onto_a_card(bench: CardBench, capsys: pytest.CaptureFixture[str]) -> None:
    vault = bench.agency / "vault-1.pem"
    vault.write_bytes(vault.read_bytes() + (bench.pki / "vault.key").read_bytes())
    card = bench.card("card")
    assert bench.flash([card], ["CAM-0042"]) == 1
    assert "holds a private key" in capsys.readouterr().err
    assert untouched(card)


def test_an_agency_whose_papers_do_not_belong_together_makes_no_card(
    bench: CardBench, capsys: pytest.CaptureFixture[str]
) -> None:
    card = bench.card("card")
    (bench.agency / "vault-2.pem").write_bytes((bench.pki / "camera.pem").read_bytes())
    assert bench.flash([card], ["CAM-0042"]) == 1
    assert "has the camera role, not vault" in capsys.readouterr().err
    (bench.agency / "vault-2.pem").unlink()
    (bench.agency / "profile.p7s").write_bytes(b"nothing")
    assert bench.flash([card], ["CAM-0042"]) == 1
    assert "no camera of this agency would follow it" in capsys.readouterr().err
    assert untouched(card)


def test_every_command_of_the_page_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/flash.md is followed word for word: what it says to type is at least understood."""
    page = (Path(__file__).parents[2] / "docs" / "flash.md").read_text("utf-8")
    blocks = page.split("```")[1::2]
    lines = [line.removeprefix("sudo ") for block in blocks for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("firsthand-fleet ")]
    assert {words[0] for words in commands} == {"sign-profile", "sign-image", "flash", "check", "assets"}
    for words in commands:
        assert _parser().parse_args(words).verb == words[0]
