"""The release manifest that `image build` and `deb` put beside the code: the camera's own check must take it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from device.firmware_check import judge_firmware
from device.selftest import Seen
from evidence.release import ROOMS, code_sha256
from evidence.settings import BadSettings
from evidence.statements import CameraFacts
from evidence.trust import Trust
from fleet.__main__ import main
from fleet.ca import create_agency
from fleet.installed_release import NAME, ReleaseGiven, install_manifest

VERSION = "1.4.2"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    create_agency(directory)
    return directory


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Installed code, as a package brings it."""
    for room in ROOMS:
        (tmp_path / "site" / room).mkdir(parents=True)
        (tmp_path / "site" / room / "code.py").write_text(f"room = {room!r}\n")
    (tmp_path / f"site/firsthand-{VERSION}.dist-info").mkdir()
    return tmp_path / "site"


def firmware_row(site: Path, pki: Path) -> Seen:
    """What the self-test of a camera with this code says."""
    facts = CameraFacts(model="bench", firmware=VERSION, firmware_sha256=code_sha256(site))
    return judge_firmware(facts, [site / NAME], Trust.load(pki / "root.pem"))


def signed_elsewhere(site: Path, pki: Path, out: Path, *, version: str = VERSION) -> Path:
    words = ["sign-release", str(site), "--version", version, "--key", str(pki / "release.key")]
    assert main([*words, "--cert", str(pki / "release.pem"), "--out", str(out)]) == 0
    return out


@pytest.mark.requirement("R8")
def test_code_signed_at_the_build_is_as_released_until_one_byte_changes(site: Path, pki: Path) -> None:
    said: list[str] = []
    install_manifest(ReleaseGiven(key=pki / "release.key", certificate=pki / "release.pem"), site, said.append)
    assert said == [f"release manifest: version {VERSION}, signed by the release role"]
    assert firmware_row(site, pki).outcome == "pass"
    (site / "hal/code.py").write_text("room = 'another'\n")
    assert firmware_row(site, pki).outcome == "fail"


@pytest.mark.requirement("R8")
def test_a_manifest_signed_where_the_release_key_is_gives_the_same_bytes_each_time(
    site: Path, pki: Path, tmp_path: Path
) -> None:
    document = signed_elsewhere(site, pki, tmp_path / NAME)
    install_manifest(ReleaseGiven(document=document), site, print)
    assert (site / NAME).read_bytes() == document.read_bytes()
    assert firmware_row(site, pki).outcome == "pass"


def test_without_a_release_key_the_build_says_so_in_one_line(
    site: Path, pki: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install_manifest(None, site, print)
    said = capsys.readouterr().out
    assert said.startswith("release manifest: none")
    assert "--release-key" in said
    assert said.count("\n") == 1
    assert firmware_row(site, pki).outcome == "not_present"


def test_a_manifest_that_the_package_brought_stays(site: Path, pki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signed_elsewhere(site, pki, site / NAME)
    before = (site / NAME).read_bytes()
    install_manifest(None, site, print)
    assert "as the package brings it" in capsys.readouterr().out
    assert (site / NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("older", "is of version 1.4.1 with code"),
        ("other code", "sign this code with sign-release"),
        ("garbage", "is no release manifest"),
        ("endless", "is larger than a release manifest can be"),
        ("camera's", "is not a certificate of the release role"),
        ("no code", "the given packages bring none"),
    ],
)
def test_a_manifest_that_a_camera_would_refuse_is_refused_here(
    site: Path, pki: Path, tmp_path: Path, which: str, words: str
) -> None:
    document, other = tmp_path / NAME, tmp_path / "other"
    given = ReleaseGiven(document=document)
    document.write_bytes(bytes(2_000_000) if which == "endless" else b"garbage")
    if which == "older":
        signed_elsewhere(site, pki, document, version="1.4.1")
    elif which == "other code":
        shutil.copytree(site, other)
        (other / "device/code.py").write_text("")
        signed_elsewhere(other, pki, document)
    elif which == "camera's":
        given = ReleaseGiven(key=pki / "camera.key", certificate=pki / "camera.pem")
    elif which == "no code":
        shutil.rmtree(site / "device")
    with pytest.raises(BadSettings, match=words) as refused:
        install_manifest(given, site, print)
    assert "\n" not in str(refused.value)
    assert not (site / NAME).exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--release-key", "x"], "--release-key and --release-cert belong together"),
        (["--release-key", "x", "--release-cert", "y", "--release", "z"], "not both"),
    ],
)
def test_half_a_wish_is_refused_before_anything_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert main(["deb", "--out", str(tmp_path / "out"), *options]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
