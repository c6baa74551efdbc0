"""Configuration: the examples load, and each mistake is one sentence with file and key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dock.config import load_agent, load_station
from dock.errors import BadConfig

EXAMPLES = Path(__file__).resolve().parents[2] / "dock" / "examples"


def test_the_examples_load_and_show_the_defaults() -> None:
    station, agent = load_station(EXAMPLES / "station.toml"), load_agent(EXAMPLES / "agent.toml")
    assert station.limits == type(station.limits)()
    assert agent.offload == type(agent.offload)()
    assert agent.telemetry is not None
    assert station.root == EXAMPLES / "pki/root.pem"
    assert agent.recorder_socket == Path("/run/firsthand/device.sock")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("listen_port", "listen_prot", "unknown key listen_prot; did you mean 'listen_port'?"),
        ("reserve_bytes", "reserv_bytes", "unknown key limits.reserv_bytes; did you mean 'reserve_bytes'?"),
        ("8443 ", "99999 ", "listen_port: expected `int` <= 65535"),
        ('system_id = "example-pd"', "", "missing required field `system_id`"),
        ("idle_s = 30.0", "idle_s = -1.0", "limits.idle_s"),
        ('root = "pki/root.pem"', "root = 5", "root: expected a path"),
        ("[tls]", "[tls", "not valid TOML"),
    ],
)
def test_a_mistake_is_told_with_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "station.toml"
    path.write_text((EXAMPLES / "station.toml").read_text().replace(old, new, 1))
    with pytest.raises(BadConfig) as told:
        load_station(path)
    assert str(told.value).startswith(f"{path}: ")
    assert message in str(told.value)


def test_the_command_line_says_in_one_sentence_what_is_wrong(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dock", "station", "--config", str(tmp_path / "none.toml")]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stderr == f"firsthand-dock station: {tmp_path}/none.toml: cannot be read: No such file or directory\n"
