"""The installed package and its real units, on a Debian booted by systemd-nspawn: users, sandboxes, watchdog, upgrades.

One system for the whole file, in the order of a camera's life: it boots, records, hangs, crashes, is upgraded, runs out
of charge. What a container has no hardware for is simulated (`booted_root`); everything else is what a camera runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from booted_root import SITE, WITH_SIMULATOR, BootedRoot, OwnNetwork, make_root, until
from container_board import BOARD, board_toml
from flashed_identity import Authority
from package import BASE

from device.client import ask
from evidence.handover import Status
from evidence.requests import StatusRequest, TriggerRequest
from evidence.trust import Trust
from evidence.verify import verify_file
from simulator.battery_feed import BatteryFeed
from simulator.settings_text import toml_text

pytestmark = pytest.mark.timeout(1800)
SERIAL = "SIM-0001"
DEVICE, AGENT = "firsthand-device.service", "firsthand-agent.service"
VAR = "var/lib/firsthand"
POWER = f"{VAR}/device/power"
NEEDED = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "dpkg-deb": "dpkg", "ip": "iproute2"}
POLICY = 'name = "units"\nversion = 1\npre_event_s = 2\nmin_free_mib = 1\nstop_reason_s = 0\n'


class Camera(BootedRoot):
    """The booted system, and its recorder as one talks to it."""

    power: BatteryFeed
    token: str
    """With which it enrolled."""

    def status(self) -> Status | None:
        with contextlib.suppress(Exception):
            answer = ask(self.socket, StatusRequest())
            return answer if isinstance(answer, Status) else None
        return None

    def recording(self) -> str | None:
        status = self.status()
        return status.recording if status is not None else None

    def ready(self) -> Status:
        found = until(self._tested, f"a tested camera: {self.journal(DEVICE)}", 300)
        assert isinstance(found, Status)
        return found

    def _tested(self) -> Status | None:
        status = self.status()
        return status if status is not None and status.self_test is not None else None

    def record(self) -> str:
        ask(self.socket, TriggerRequest(name="radio"))
        stem = until(self.recording, "a recording")
        assert isinstance(stem, str)
        return stem

    def nice(self, unit: str) -> int:
        """Of its process, as the kernel has it."""
        return int(Path(f"/proc/{self.outside(self.main_pid(unit))}/stat").read_text().rpartition(")")[2].split()[16])

    def evidence(self) -> list[Path]:
        return sorted((self.root / VAR / "spool").glob("*.evidence"))


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    missing = [f"{tool} (package {package})" for tool, package in NEEDED.items() if shutil.which(tool) is None]
    said = [*(["root"] if os.geteuid() != 0 else []), *missing]
    if said:
        reason = f"the units' test needs {', '.join(said)}: run `make lab` as root once"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("units")
    with contextlib.ExitStack() as undo:  # whatever fails, and wherever: nothing stays behind
        undo.callback(shutil.rmtree, directory / "root", ignore_errors=True)
        network = OwnNetwork()
        undo.callback(network.close)
        made = Camera(make_root(directory / "root"), directory / "console.txt", network)
        authority = prepare(made, directory)
        server = undo.enter_context(authority.serving(network.enter))
        select = made.root / "boot/firsthand"
        made.token = authority.flash(select, server=server, serial=SERIAL, board=BOARD, policy=POLICY)
        undo.enter_context(made.booted())
        yield made


def prepare(made: Camera, directory: Path) -> Authority:
    """What a container has no hardware for; and an agency."""
    (made.root / SITE / f"device/boards/{BOARD}.toml").write_text(toml_text(board_toml(), BOARD))
    drop_in = made.root / f"etc/systemd/system/{DEVICE}.d"
    drop_in.mkdir(parents=True)
    (drop_in / "simulator.conf").write_text(WITH_SIMULATOR)
    made.power = BatteryFeed(made.root / POWER, 90.0)
    made.run_offline("chown", "-R", "firsthand-device:firsthand-device", f"/{VAR}/device")
    return Authority(directory / "agency")


# --- it boots ---------------------------------------------------------------------------------------------------------


@pytest.mark.needs_root
def test_the_camera_boots_without_a_failed_unit_and_tests_itself(camera: Camera) -> None:
    status = camera.ready()
    assert status.serial == SERIAL
    assert camera.run("systemctl", "--failed", "--plain", "--no-legend") == ""


@pytest.mark.needs_root
@pytest.mark.requirement("R6")
def test_its_first_boot_enrolled_it_within_its_own_sandbox_and_is_over(camera: Camera) -> None:
    camera.ready()
    assert (camera.root / VAR / "first-boot.done").exists()
    assert camera.token not in (camera.root / "boot/firsthand/identity.toml").read_text()
    assert camera.token not in camera.run("journalctl", "--no-pager", "-b")
    settings = (camera.root / "etc/firsthand/device.toml").read_text()
    assert f'serial = "{SERIAL}"' in settings
    assert "firsthand-agent" in settings
    assert camera.show("firsthand-first-boot.service", "NRestarts") == "0"
    assert camera.run("cat", "/run/chrony-dhcp/firsthand.sources").startswith("server localhost iburst")
    camera.run("systemctl", "start", "firsthand-renew.service")
    assert camera.show("firsthand-renew.service", "Result") == "success"


@pytest.mark.needs_root
@pytest.mark.parametrize(
    ("path", "owner", "group", "mode"),
    [
        ("/etc/firsthand", "root", "root", "755"),
        ("/etc/firsthand/keys", "root", "root", "755"),
        ("/etc/firsthand/keys/camera.key", "firsthand-device", "firsthand-device", "600"),
        ("/etc/firsthand/keys/camera-tls.key", "firsthand-agent", "firsthand-agent", "600"),
        ("/var/lib/firsthand", "root", "root", "755"),
        ("/var/lib/firsthand/spool", "firsthand-device", "firsthand-spool", "2750"),
        ("/var/lib/firsthand/device", "firsthand-device", "firsthand-device", "700"),
        ("/var/lib/firsthand/agent", "firsthand-agent", "firsthand-agent", "700"),
        ("/run/firsthand", "firsthand-device", "firsthand-socket", "2755"),
        ("/run/firsthand/device.sock", "firsthand-device", "firsthand-socket", "660"),
    ],
)
def test_owners_and_modes_are_those_of_the_contract(
    camera: Camera, path: str, owner: str, group: str, mode: str
) -> None:
    camera.ready()
    assert camera.run("stat", "-c", "%U %G %a", path).split() == [owner, group, mode]


@pytest.mark.needs_root
@pytest.mark.parametrize("unit", sorted(path.stem for path in (BASE / "systemd/units").glob("*.service")))
def test_a_unit_that_is_taken_over_can_do_little(camera: Camera, unit: str) -> None:
    if unit == "firsthand-station":
        shutil.copy(BASE / f"systemd/units/{unit}.service", camera.root / "usr/lib/systemd/system")
    tenths = 15 if unit == "firsthand-device" else 20
    command = ("systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={tenths}")
    said = camera.run(*command, f"{unit}{'x' * unit.endswith('@')}.service", check=False)
    assert "Overall exposure level" in said
    assert camera.returned == 0, said[-2000:]


@pytest.mark.needs_root
def test_systemd_finds_nothing_to_say_about_our_files(camera: Camera) -> None:
    units = [path.name for path in sorted((camera.root / "usr/lib/systemd/system").glob("firsthand-*"))]
    assert "firsthand-device.service" in units
    assert camera.run("systemd-analyze", "verify", *units) == ""
    assert "Fail: 0" in camera.run("udevadm", "verify", "/usr/lib/udev/rules.d/60-firsthand.rules").replace("    ", " ")


# --- who may what -----------------------------------------------------------------------------------------------------


@pytest.mark.needs_root
@pytest.mark.requirement("R6")
def test_the_recorder_has_no_network_no_capability_and_no_core(camera: Camera) -> None:
    camera.ready()
    process = Path(f"/proc/{camera.outside(camera.main_pid(DEVICE))}")
    interfaces = [line.split(":")[0].strip() for line in (process / "net/dev").read_text().splitlines()[2:]]
    assert interfaces == ["lo"]
    assert (process / "ns/net").readlink() != Path(f"/proc/{camera.leader}/ns/net").readlink()
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    assert {status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    core = next(line for line in (process / "limits").read_text().splitlines() if line.startswith("Max core"))
    assert core.split()[4:6] == ["0", "0"]
    assert camera.show(DEVICE, "User") == "firsthand-device"


@pytest.mark.needs_root
@pytest.mark.requirement("R40")
def test_the_agents_user_reads_evidence_and_neither_changes_it_nor_sees_the_key(camera: Camera) -> None:
    camera.ready()
    until(camera.evidence, "the log's first segment")

    def as_agent(*command: str) -> str:
        return camera.run(*command, user="firsthand-agent", check=False)

    name = camera.evidence()[0].name
    assert int(as_agent("wc", "--bytes", f"/{VAR}/spool/{name}").split()[0]) > 0
    assert "Permission denied" in as_agent("head", "-c", "4", "/etc/firsthand/keys/camera.key")
    assert "Permission denied" in as_agent("touch", f"/{VAR}/spool/forged")
    assert "cannot remove" in as_agent("rm", "-f", f"/{VAR}/spool/{name}")
    assert "Permission denied" in as_agent("ls", f"/{VAR}/device")
    until(lambda: "ready" in as_agent("firsthand-device", "status"), "a camera that is ready")
    assert "status" not in camera.run("firsthand-device", "status", "--json", user="nobody", check=False)


@pytest.mark.needs_root
def test_the_agent_comes_after_the_recorder_and_is_killed_first(camera: Camera) -> None:
    until(lambda: camera.show(AGENT, "ActiveState") == "active", f"the agent: {camera.journal(AGENT)}")
    recorder = int(camera.show(DEVICE, "ActiveEnterTimestampMonotonic"))
    agent = int(camera.show(AGENT, "ExecMainStartTimestampMonotonic"))
    assert 0 < recorder <= agent
    assert (camera.show(DEVICE, "OOMScoreAdjust"), camera.show(AGENT, "OOMScoreAdjust")) == ("-900", "500")
    assert camera.nice(DEVICE) < camera.nice(AGENT)


@pytest.mark.needs_root
def test_the_recorder_and_nobody_else_may_tell_chrony_a_receivers_time(camera: Camera) -> None:
    """The real chronyd, kept from setting this computer's clock (-x), and the driver in the recorder's own sandbox."""
    camera.ready()
    camera.add_unit("chrony.service.d/trial.conf", "[Unit]\nConditionCapability=\n")
    (camera.root / "etc/default/chrony").write_text("DAEMON_OPTS=-x\n")
    shutil.copy(Path(__file__).with_name("receiver_trial.py"), camera.root / "usr/local/lib")
    service = (camera.root / "usr/lib/systemd/system" / DEVICE).read_text().partition("[Service]")[2]
    ended = ("Type=", "NotifyAccess=", "Exec", "Restart", "Watchdog", "[Install]", "WantedBy=")
    sandbox = "\n".join(line for line in service.splitlines() if not line.startswith(ended))
    script = "ExecStart=/usr/bin/python3 -IB /usr/local/lib/receiver_trial.py"
    camera.add_unit("receiver.service", f"[Service]\nType=oneshot\n{script}\n{sandbox}\n")
    for _ in range(2):  # a chronyd that starts again makes its socket anew
        camera.run("systemctl", "restart", "chrony.service")
        told = camera.run("stat", "-c", "%U %G %a", "/run/firsthand-gnss.sock").split()
        assert told == ["root", "firsthand-device", "660"]
    camera.run("systemctl", "start", "receiver.service")
    until(lambda: "#? GNSS" in (said := camera.run("chronyc", "-n", "sources")) or "#* GNSS" in said, "GNSS in chrony")
    until(lambda: camera.run("chronyc", "-n", "-c", "sources").split("GNSS,")[1].split(",")[2] != "0", "a sample")
    camera.run("systemctl", "stop", "chrony.service")


# --- it never gives up ------------------------------------------------------------------------------------------------


@pytest.mark.needs_root
def test_an_upgrade_of_an_idle_camera_starts_the_new_version(camera: Camera) -> None:
    camera.ready()
    before = camera.main_pid(DEVICE)
    camera.run("dpkg", "--force-unsafe-io", "-i", "/root/firsthand.deb")
    until(lambda: camera.main_pid(DEVICE) not in (0, before), "a new recorder")


@pytest.mark.needs_root
@pytest.mark.requirement("R22")
def test_a_recorder_that_hangs_is_killed_and_the_incident_goes_on(camera: Camera) -> None:
    camera.ready()
    first = camera.record()
    process, restarts = camera.main_pid(DEVICE), int(camera.show(DEVICE, "NRestarts"))
    os.kill(camera.outside(process), signal.SIGSTOP)
    until(lambda: int(camera.show(DEVICE, "NRestarts")) > restarts, "the watchdog", 300)
    second = until(camera.recording, f"a recording that goes on: {camera.journal(DEVICE)}", 300)
    assert second != first
    assert "watchdog" in camera.run("journalctl", "--no-pager", "-b", "-u", DEVICE).lower()
    assert camera.running


@pytest.mark.needs_root
@pytest.mark.requirement("R22")
def test_an_upgrade_never_ends_a_recording(camera: Camera) -> None:
    process, stem = camera.main_pid(DEVICE), until(camera.recording, "a recording")
    said = camera.run("dpkg", "--force-unsafe-io", "-i", "/root/firsthand.deb")
    assert "the new version begins with its next start" in said
    assert (camera.main_pid(DEVICE), camera.recording()) == (process, stem)


@pytest.mark.needs_root
@pytest.mark.requirement("R22")
def test_a_crash_loop_never_ends_and_never_switches_the_camera_off(camera: Camera) -> None:
    settings = camera.root / "etc/firsthand/device.toml"
    good, restarts = settings.read_text(), int(camera.show(DEVICE, "NRestarts"))
    settings.write_text("nonsense = true\n")
    try:
        os.kill(camera.outside(camera.main_pid(DEVICE)), signal.SIGKILL)
        until(lambda: int(camera.show(DEVICE, "NRestarts")) >= restarts + 8, "eight starts that fail", 300)
        assert camera.show(DEVICE, "Result") != "start-limit-hit"
    finally:
        settings.write_text(good)
    assert until(camera.recording, f"the incident that goes on: {camera.journal(DEVICE)}", 300)
    assert camera.running


# --- its end ----------------------------------------------------------------------------------------------------------


@pytest.mark.needs_root
@pytest.mark.requirement("R22")
def test_an_empty_cell_closes_the_recording_and_switches_the_camera_off(camera: Camera, tmp_path: Path) -> None:
    stem = until(camera.recording, "a recording")
    camera.power.set(percent=1, load_ma=300)
    until(lambda: not camera.running, f"a system that is off: {camera.console()}", 300)
    trust = Trust.load(camera.root / "etc/firsthand/keys/root.pem")
    reports = {path.stem: verify_file(path, trust) for path in camera.evidence()}
    assert all(report.valid for report in reports.values()), {name: one.findings for name, one in reports.items()}
    closed = reports[stem].closed
    assert closed is not None
    assert closed.reason == "battery_empty"


@pytest.mark.needs_root
@pytest.mark.requirement("R38")
def test_a_purge_leaves_evidence_state_and_keys(camera: Camera) -> None:
    assert not camera.running, "the tests of this file run in their order"
    kept = [*camera.evidence(), camera.root / "etc/firsthand/keys/camera.key", camera.root / VAR / "device/power.json"]
    before = {path: path.read_bytes() for path in kept}
    said = camera.run_offline("dpkg", "--purge", "firsthand")
    assert "evidence, state and keys stay" in said
    assert not (camera.root / "usr/bin/firsthand-device").exists()
    assert not list((camera.root / "etc/systemd/system").rglob("firsthand-*.service"))
    assert {path: path.read_bytes() for path in kept} == before
    assert len(before) > 4
