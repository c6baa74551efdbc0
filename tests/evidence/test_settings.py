"""Settings files: strict, with the nearest key, paths relative to the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config import DeviceSettings, load_settings
from evidence.settings import SETTINGS_BYTES, BadSettings, load_toml

GOOD = """
serial = "CAM-1"
model = "m"
spool = "spool"
state = "state"
socket = "s"
profile = "p"
[keys]
root = "r"
evidence_key = "k"
evidence_chain = "c"
vault = ["v"]
[camera]
driver = "x"
[switches]
driver = "x"
[indicators]
driver = "x"
[inputs.record_button]
kind = "record_button"
"""


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (GOOD.replace("spool =", "spol ="), "unknown key spol; did you mean 'spool'?"),
        (GOOD.replace("vault =", "valt ="), "unknown key keys.valt; did you mean 'vault'?"),
        (GOOD + "debunce_ms = 3\n", "unknown key inputs.record_button.debunce_ms; did you mean 'debounce_ms'?"),
        (GOOD.replace('kind = "record_button"', 'kind = "button"'), "inputs[...].kind: invalid enum value 'button'"),
        (GOOD.replace('"CAM-1"', '"cam 1"'), "serial: expected `str` matching regex"),
        ("serial = ", "not valid TOML"),
        ("x = 1\n" * (SETTINGS_BYTES // 5), "larger than a settings file can be"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_key(tmp_path: Path, bad: str, said: str) -> None:
    path = tmp_path / "device.toml"
    path.write_text(bad)
    with pytest.raises(BadSettings) as told:
        load_settings(path)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "device.toml"
    path.write_text(GOOD)
    settings = load_settings(path)
    assert settings.spool == str(tmp_path / "spool")
    assert settings.keys.vault == [str(tmp_path / "v")]


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="cannot be read: No such file"):
        load_toml(tmp_path / "none.toml", DeviceSettings)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_one_way(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_bytes(data)
    with pytest.raises(BadSettings):
        load_toml(path, DeviceSettings)
