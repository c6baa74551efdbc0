"""What a taken-over agent can do to the evidence: nothing. Users, directories and modes are those that we ship.

systemd's own programs make the users and directories of our files in a directory of this test; children of this process
become those users and try. The same with the real units, in a booted system: tests/lab/test_units_nspawn.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

BASE = Path(__file__).resolve().parents[2]
sys.path.append(str(BASE / "tests/dock"))

from dock_camera import Camera  # noqa: E402

from evidence.trust import Trust  # noqa: E402
from evidence.verify import verify_file  # noqa: E402
from fleet.ca import create_agency  # noqa: E402

NEEDED = ("systemd-sysusers", "systemd-tmpfiles")
pytestmark = pytest.mark.needs_root


@dataclass(frozen=True)
class User:
    """As the made system's own files have it."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass
class System:
    """The root directory of a camera, as systemd's programs made it from our files."""

    root: Path
    pki: Path

    @property
    def spool(self) -> Path:
        return self.root / "var/lib/firsthand/spool"

    @property
    def keys(self) -> Path:
        return self.root / "etc/firsthand/keys"

    def user(self, name: str) -> User:
        accounts = (line.split(":") for line in (self.root / "etc/passwd").read_text().splitlines())
        uid, gid = next((int(one[2]), int(one[3])) for one in accounts if one[0] == name)
        lines = (line.split(":") for line in (self.root / "etc/group").read_text().splitlines())
        return User(uid, gid, tuple(int(one[2]) for one in lines if name in one[3].split(",")))

    def become(self, name: str, what: Callable[[], object]) -> str:
        """Do it in a child that is that user: ``done``, or the name of the error."""
        user = self.user(name)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            said = "done"
            try:
                os.setgroups(user.groups)
                os.setresgid(user.gid, user.gid, user.gid)
                os.setresuid(user.uid, user.uid, user.uid)
                os.umask(0o027)
                what()
            except BaseException as error:  # noqa: BLE001 - whatever it is, the child ends here
                said = type(error).__name__
            os.write(writing, said.encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            said = answer.read()
        os.waitpid(child, 0)
        return said


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    missing = [*(["root"] if os.geteuid() != 0 else []), *(one for one in NEEDED if shutil.which(one) is None)]
    if missing:
        reason = f"becoming other users needs {', '.join(missing)}: run it as root, with systemd installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # Not tmp_path: pytest closes its directory to other users whenever a session begins.
    top = Path(tempfile.mkdtemp(prefix="rights-"))
    top.chmod(0o711)
    root = top / "root"
    for name in ("etc/firsthand/keys", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d", "var/lib", "run"):
        (root / name).mkdir(parents=True)
    shutil.copy(BASE / "systemd/conf/firsthand.sysusers", root / "usr/lib/sysusers.d/firsthand.conf")
    shutil.copy(BASE / "systemd/conf/firsthand.tmpfiles", root / "usr/lib/tmpfiles.d/firsthand.conf")
    pki = top / "pki"
    create_agency(pki)
    for name in ("camera.key", "camera-tls.key"):
        shutil.copy(pki / name, root / "etc/firsthand/keys" / name)
        (root / "etc/firsthand/keys" / name).chmod(0o644)  # whoever put them there was careless
    subprocess.run(["systemd-sysusers", f"--root={root}", "firsthand.conf"], check=True, capture_output=True)
    tmpfiles = ["systemd-tmpfiles", f"--root={root}", "--create", "firsthand.conf"]
    subprocess.run(tmpfiles, check=True, capture_output=True, timeout=60)
    made = System(root, pki)
    (top / "warm").mkdir()
    Camera(pki, top / "warm").record(1)  # everything is imported before anybody loses the right to read it
    camera = Camera(pki, made.spool)
    assert made.become("firsthand-device", lambda: camera.record(1)) == "done"
    yield made
    shutil.rmtree(top)


def evidence(system: System) -> Path:
    return next(system.spool.glob("*.evidence"))


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


@pytest.mark.requirement("R40")
def test_a_key_is_its_one_readers_whoever_put_it_there(system: System) -> None:
    for name, owner, other in (
        ("camera.key", "firsthand-device", "firsthand-agent"),
        ("camera-tls.key", "firsthand-agent", "firsthand-device"),
    ):
        key = system.keys / name
        assert (mode(key), key.stat().st_uid) == ("0o600", system.user(owner).uid)
        assert system.become(owner, key.read_bytes) == "done"
        for way in (key.read_bytes, lambda key=key: key.chmod(0o644), key.unlink, lambda key=key: key.write_bytes(b"")):
            assert system.become(other, way) == "PermissionError"


def attacks(system: System) -> dict[str, Callable[[], object]]:
    """What somebody who has the agent would try in the spool."""
    file, spool = evidence(system), system.spool
    mine = system.root / "var/lib/firsthand/agent"
    return {
        "write into it": lambda: file.open("r+b").write(b"forged"),
        "append to it": lambda: file.open("ab").write(b"forged"),
        "cut it off": lambda: os.truncate(file, 0),
        "delete it": file.unlink,
        "rename it": lambda: file.rename(spool / "gone.evidence"),
        "carry it off": lambda: file.rename(mine / "gone.evidence"),
        "put another in its place": lambda: (mine / "made").write_bytes(b"x") and (mine / "made").replace(file),
        "lay a forged one beside it": lambda: (spool / "SIM-0001-000002.evidence").write_bytes(b"forged"),
        "lay a link beside it": lambda: (spool / "SIM-0001-000003.evidence").symlink_to(file),
        "make a directory": lambda: (spool / "sub").mkdir(),
        "open it to others": lambda: file.chmod(0o666),
        "open the directory to others": lambda: spool.chmod(0o2770),
        "take it": lambda: os.chown(file, os.getuid(), -1),
        "change its times": lambda: os.utime(file, (0, 0)),
        "mark it": lambda: os.setxattr(file, "user.note", b"x"),
        "see the recorder's state": lambda: list((system.root / "var/lib/firsthand/device").iterdir()),
        "lay a socket of its own in the recorder's place": lambda: (system.root / "run/firsthand/device.sock").touch(),
        "change the settings": lambda: (system.root / "etc/firsthand/device.toml").write_text(""),
        "exchange the key's directory": lambda: system.keys.rename(system.keys.with_name("old")),
    }


ATTACKS = (
    "write into it", "append to it", "cut it off", "delete it", "rename it", "carry it off", "put another in its place",
    "lay a forged one beside it", "lay a link beside it", "make a directory", "open it to others",
    "open the directory to others", "take it", "change its times", "mark it", "see the recorder's state",
    "lay a socket of its own in the recorder's place", "change the settings", "exchange the key's directory",
)  # fmt: skip


@pytest.mark.requirement("R40")
@pytest.mark.parametrize("what", ATTACKS)
def test_the_agent_reads_evidence_and_cannot(system: System, what: str) -> None:
    file = evidence(system)
    assert set(attacks(system)) == set(ATTACKS)
    assert system.become("firsthand-agent", file.read_bytes) == "done"
    assert system.become("firsthand-agent", attacks(system)[what]) == "PermissionError"
    assert verify_file(file, Trust.load(system.pki / "root.pem")).valid
    assert [path.name for path in system.spool.iterdir()] == [file.name]


@pytest.mark.requirement("R40")
def test_the_agent_cannot_get_at_the_recorder_by_its_process(system: System) -> None:
    """No signal, no look into its memory or its open files."""
    user = system.user("firsthand-device")
    started = subprocess.Popen(["/bin/sleep", "600"], user=user.uid, group=user.gid, extra_groups=user.groups)
    try:
        process = Path(f"/proc/{started.pid}")
        for way in (
            lambda: os.kill(started.pid, signal.SIGSTOP),
            lambda: (process / "mem").open("rb"),
            lambda: (process / "environ").read_bytes(),
            lambda: list((process / "fd").iterdir()),
        ):
            assert system.become("firsthand-agent", way) == "PermissionError"
        assert started.poll() is None
    finally:
        started.kill()
        started.wait()


@pytest.mark.requirement("R40")
def test_nobody_else_on_the_camera_sees_any_of_it(system: System) -> None:
    """A user that is in no group of ours."""
    accounts = system.root / "etc/passwd"
    accounts.write_text(accounts.read_text() + "stranger:x:64999:64999::/:/usr/sbin/nologin\n")
    for way in (
        lambda: list(system.spool.iterdir()),
        evidence(system).read_bytes,
        (system.keys / "camera.key").read_bytes,
        lambda: list((system.root / "var/lib/firsthand/agent").iterdir()),
    ):
        assert system.become("stranger", way) == "PermissionError"


def test_these_users_are_two_and_no_one_can_log_in_as_either(system: System) -> None:
    device, agent = system.user("firsthand-device"), system.user("firsthand-agent")
    assert 0 not in (device.uid, agent.uid)
    assert device.uid != agent.uid
    assert device.gid not in agent.groups
    assert agent.gid not in device.groups
    shells = {line.split(":")[0]: line.split(":")[6] for line in (system.root / "etc/passwd").read_text().splitlines()}
    assert {shells[name] for name in ("firsthand-device", "firsthand-agent")} == {"/usr/sbin/nologin"}
