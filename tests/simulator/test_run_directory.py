"""The run directory: replaced only if it is ours, refused untouched otherwise."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from device.config import load_settings
from device.profile import parse_profile
from dock.config import load_agent, load_station
from evidence.trust import Trust
from simulator import agency
from simulator.layout import MARKER, run_layout
from simulator.run_errors import OutRefused
from simulator.scenario import find_scenario, load_scenario
from simulator.settings_text import toml_text


def test_a_foreign_directory_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(OutRefused, match=r"thesis\.txt"), run_layout(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_and_a_link_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a", encoding="utf-8")
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    for place in (file, link):
        with pytest.raises(OutRefused, match="no directory"), run_layout(place):
            pass


def test_our_own_directory_is_emptied_and_keeps_its_marker(tmp_path: Path) -> None:
    with run_layout(tmp_path / "run"):
        (tmp_path / "run" / "camera" / "spool" / "old.evidence").write_bytes(b"old")
        (tmp_path / "run" / "report.json").write_bytes(b"{}")
    with run_layout(tmp_path / "run") as layout:
        assert list(layout.spool.iterdir()) == []
        assert not layout.report.exists()
        assert "may replace" in (layout.out / MARKER).read_text(encoding="utf-8")


def test_two_runs_do_not_share_a_directory(tmp_path: Path) -> None:
    with run_layout(tmp_path) as layout:
        (layout.export / "a.mp4").write_bytes(b"a")
        with pytest.raises(OutRefused, match="another run works"), run_layout(tmp_path):
            pass
        assert (layout.export / "a.mp4").exists()


def test_sockets_of_a_deep_directory_lie_in_a_short_place(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with run_layout(deep) as layout:
        assert len(str(layout.recorder_socket)) < 108
        sockets = layout.sockets
        assert sockets.is_dir()
    assert not sockets.exists()


def test_the_programs_accept_the_settings_that_we_write(tmp_path: Path) -> None:
    scenario = load_scenario(find_scenario("quick"))
    with run_layout(tmp_path) as layout:
        agency.found_agency(layout, scenario)
        device = load_settings(agency.write_device_settings(layout, scenario, agency.Sources("/dev/pts/0")))
        assert device.serial == "SIM-0001"
        assert Path(device.keys.root) == Path(device.keys.root).parent / "root.pem"
        assert load_station(agency.write_station_settings(layout)).listen_port == 0
        assert load_agent(agency.write_agent_settings(layout, 8443, 8883)).station.url == "https://localhost:8443"
        trust = Trust.load(layout.pki / "root.pem")
        profile = parse_profile((layout.camera / "profile.p7s").read_bytes(), trust).profile
        assert (profile.pre_event_s, profile.keep_after_receipt_h) == (3, 0)


def test_settings_text_is_read_back_as_it_was() -> None:
    values = {
        "text": 'quotes " and \\ and ü and 😀 and \x7f\n',
        "list": [1, 2.5, True, "a"],
        "table": {"with space": {"x": 1}, "y": False},
    }
    assert tomllib.loads(toml_text(values, "a heading")) == values
