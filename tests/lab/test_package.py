"""The package of a camera, as a file: what is in it, what never is, and that the same code gives the same bytes."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from package import camera_package

from fleet.__main__ import main
from fleet.deb import CannotPackage, Control, build
from fleet.deb_contents import build_packages
from fleet.deb_site import load_project, only_in

BASE = Path(__file__).resolve().parents[2]
SITE = "./usr/lib/firsthand/site/"


@pytest.fixture(scope="session")
def package() -> Path:
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("the package is kept in the lab's cache, which is root's, and CI is root")
        pytest.skip("the package is kept in the lab's cache, which is root's")
    return camera_package()


@pytest.fixture(scope="session")
def contents(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tarfile.TarInfo]:
    """Every file and directory of the package."""
    tar = tmp_path_factory.mktemp("package") / "data.tar"
    with tar.open("wb") as out:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=out, check=True, timeout=60)
    with tarfile.open(tar) as data:
        return {member.name: member for member in data.getmembers()}


@pytest.fixture(scope="session")
def text_of(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(directory / "deb")], check=True, timeout=60)
    return directory / "deb"


@pytest.mark.needs_root
def test_it_brings_the_programs_and_no_simulator(contents: dict[str, tarfile.TarInfo], text_of: Path) -> None:
    programs = {name for name in contents if name.startswith("./usr/bin/") and contents[name].isfile()}
    assert programs == {f"./usr/bin/firsthand-{name}" for name in ("device", "dock", "evidence", "fleet")}
    assert f"{SITE}device/daemon.py" in contents
    assert not [name for name in contents if name.startswith((f"{SITE}simulator", f"{SITE}tests"))]
    assert not [name for name in contents if name.endswith((".pyc", ".pem", ".key", ".pth"))]
    points = configparser.ConfigParser(delimiters=("=",))
    points.read(next((text_of / SITE).glob("firsthand-*.dist-info")) / "entry_points.txt")
    drivers = dict(points["firsthand.hal"])
    assert drivers["clock.system"] == "hal.clock:SystemClock"
    assert all(where.startswith("hal.") for where in drivers.values())


@pytest.mark.needs_root
def test_everything_is_roots_and_nobody_else_writes_it(contents: dict[str, tarfile.TarInfo]) -> None:
    assert {(one.uid, one.gid) for one in contents.values()} == {(0, 0)}
    assert {oct(one.mode) for one in contents.values() if not one.issym()} == {"0o755", "0o644"}
    assert len({one.mtime for one in contents.values()}) == 1


@pytest.mark.needs_root
def test_what_an_administrator_may_change_is_asked_about_and_the_rest_is_not_in_etc(
    contents: dict[str, tarfile.TarInfo], text_of: Path
) -> None:
    asked = set((text_of / "DEBIAN/conffiles").read_text().split())
    assert asked == {
        name.removeprefix(".") for name, one in contents.items() if name.startswith("./etc") and one.isfile()
    }
    assert "/etc/chrony/conf.d/firsthand.conf" in asked
    assert not [name for name in contents if name.startswith("./var")], "evidence is not dpkg's to remove"


@pytest.mark.needs_root
def test_the_scripts_of_the_package_are_sound_and_know_every_unit(text_of: Path) -> None:
    preset = (BASE / "systemd/conf/60-firsthand.preset").read_text().splitlines()
    units = {line.removeprefix("enable ") for line in preset if line.startswith("enable ")}
    for name in ("postinst", "prerm", "postrm"):
        script = text_of / "DEBIAN" / name
        subprocess.run(["sh", "-n", str(script)], check=True)
        assert "@UNITS@" not in script.read_text()
    for name in ("postinst", "postrm"):
        line = next(one for one in (text_of / "DEBIAN" / name).read_text().splitlines() if one.startswith("UNITS="))
        assert set(line.split('"')[1].split()) == units
    installed = {path.name for path in (text_of / "usr/lib/systemd/system").iterdir()}
    assert units <= installed


@pytest.mark.needs_root
def test_the_same_code_gives_the_same_bytes(whole_lab: None, package: Path, tmp_path: Path) -> None:
    (again,) = build_packages(tmp_path, suite="trixie", arch="amd64", station=False)
    if again.read_bytes() != package.read_bytes():  # made at another commit, from the same files: only times may differ
        assert not subprocess.run(["git", "-C", str(BASE), "rev-parse"], capture_output=True).returncode
        kept = [dict(_sums(path)) for path in (package, again)]
        assert kept[0] == kept[1]


def _sums(package: Path) -> list[tuple[str, str]]:
    done = subprocess.run(["dpkg-deb", "--info", str(package), "md5sums"], capture_output=True, text=True, check=True)
    return [(name, digest) for digest, name in (line.split(maxsplit=1) for line in done.stdout.splitlines())]


@pytest.mark.parametrize(
    ("now", "offered", "then"),
    [
        ("1", "1 10 25 50 100 200", "50"),
        ("12.500000", "12.5 26 52 104", "52"),
        ("100", "1 10 25 50 100 200", "100"),
        ("4", "", "50"),
    ],
)
def test_a_slow_accelerometer_is_quickened(tmp_path: Path, now: str, offered: str, then: str) -> None:
    (tmp_path / "sampling_frequency").write_text(now)
    if offered:
        (tmp_path / "sampling_frequency_available").write_text(offered)
    subprocess.run([str(BASE / "systemd/programs/quicken-sensor"), str(tmp_path)], check=True, timeout=120)
    assert (tmp_path / "sampling_frequency").read_text().strip() == then


def control(name: str = "trial") -> Control:
    return Control(
        name, "1.0", "amd64", "a trial", "No more than that.", ("libc6",), scripts={"postinst": "#!/bin/sh\n"}
    )


def test_a_tree_gives_the_same_package_whenever_and_by_whomever(tmp_path: Path) -> None:
    made = []
    for mode, when in ((0o600, 1), (0o664, 2_000_000_000)):
        tree = tmp_path / f"tree-{when}"
        (tree / "etc").mkdir(parents=True, mode=0o700)
        (tree / "etc/trial.conf").write_text("one = 1\n")
        (tree / "etc/trial.conf").chmod(mode)
        os.utime(tree / "etc/trial.conf", (when, when))
        made.append(build(control(), tree, tmp_path / f"out-{when}", 1_700_000_000).read_bytes())
    assert made[0] == made[1]


def test_what_dpkg_refuses_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    with pytest.raises(CannotPackage, match="dpkg-deb refuses no name"):
        build(control("no name"), tmp_path / "tree", tmp_path, 0)


def test_a_machine_without_dpkg_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(CannotPackage, match="sudo apt-get install dpkg"):
        build(control(), tmp_path, tmp_path, 0)


def test_a_suite_without_its_python_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deb", "--suite", "buster", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "firsthand-fleet: buster is not a suite that packages are made for: trixie\n"


def test_what_only_the_system_can_give_is_not_asked_of_the_package_index() -> None:
    project = load_project(BASE)
    wanted = {pin.name for pin in project.libraries("camera", "3.13", "arm64")}
    assert not wanted & {"lgpio", "picamera2"}
    assert "cryptography" in wanted
    assert not [where for where in (*project.drivers.values(), *project.programs.values()) if "simulator" in where]


def test_no_checkout_no_package(tmp_path: Path) -> None:
    with pytest.raises(CannotPackage, match="is no checkout of Firsthand"):
        load_project(tmp_path)


def test_two_packages_share_no_file_and_never_two_versions_of_a_library(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    for base, names in ((small, ("one/a.py",)), (large, ("one/a.py", "two/b.py"))):
        for name in names:
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).write_text("")
        (base / "one-1.0.dist-info").mkdir()
    only_in(large, small, tmp_path / "more")
    assert [path.name for path in (tmp_path / "more").rglob("*.py")] == ["b.py"]
    (large / "one-1.0.dist-info").rename(large / "one-1.1.dist-info")
    with pytest.raises(CannotPackage, match=r"different versions of one-1\.0"):
        only_in(large, small, tmp_path / "other")
