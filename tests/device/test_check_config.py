"""What `check-config` names before the shift does, and who chooses the drivers (R7, invariant 11)."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from camera_bench import LIGHTBAR, POLICY, RED, CameraBench, sign_profile

from device.__main__ import main
from device.check_config import Findings, as_text, examine
from device.config import DeviceSettings, Driver, Input, load_settings
from device.config_warnings import warnings
from device.driver_choice import choose
from device.policy import Profile
from device.profile import DEFAULT
from evidence.settings import mistakes

Make = Callable[..., CameraBench]


def examined(camera: CameraBench, **options: Any) -> Findings:
    return examine(camera.directory / "device.toml", allow_simulated=True, **options)


def edited(camera: CameraBench, *changes: tuple[str, str]) -> None:
    path = camera.directory / "device.toml"
    text = path.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text)


# --- what is wrong ----------------------------------------------------------------------------------------------------


def test_a_good_camera_has_no_errors_and_shows_the_policy_that_rules(bench: Make) -> None:
    found = examined(bench(policy={"pre_event_s": 7}))
    assert found.errors == []
    assert found.policy is not None
    assert found.differences()["pre_event_s"] == (7, 30)
    text = as_text(found)
    assert "* pre_event_s                  7  (default 30)" in text
    assert "  pre_event_audio              false" in text


def test_a_user_who_does_not_exist_is_a_warning_and_no_error(bench: Make) -> None:
    found = examined(bench(extra={"peer_users": ["root", "firsthand-agnt"], "trigger_users": ["radio-bridge"]}))
    assert found.errors == []
    assert "peer_users: this machine has no user 'firsthand-agnt'" in found.warnings
    assert "trigger_users: this machine has no user 'radio-bridge'" in found.warnings
    assert not [one for one in found.warnings if "'root'" in one]


def test_every_wrong_key_of_device_toml_is_named_with_the_nearest(bench: Make) -> None:
    camera = bench()
    edited(camera, ("spool =", "spol ="), ("vault =", "valt ="), ('kind = "dock"', 'kind = "dok"'))
    errors = " | ".join(examined(camera).errors)
    assert "unknown key spol; did you mean 'spool'?" in errors
    assert "unknown key keys.valt; did you mean 'vault'?" in errors
    assert "inputs.dock.kind: invalid enum value 'dok'" in errors
    assert "the top level: missing spool" in errors


def test_every_wrong_key_of_the_signed_profile_is_named_with_the_nearest(bench: Make) -> None:
    camera = bench(policy={"pre_evnt_s": 3, "mute_alarm_s": 5, "categories": [{"name": "a", "lable": "b"}]})
    errors = " | ".join(examined(camera).errors)
    assert "unknown key pre_evnt_s; did you mean 'pre_event_s'?" in errors
    assert "mute_alarm_s: expected `int` >= 10" in errors
    assert "unknown key categories[0].lable; did you mean 'label'?" in errors


def test_a_draft_is_checked_before_anyone_signs_it(bench: Make, tmp_path: Path) -> None:
    draft = tmp_path / "policy.toml"
    draft.write_text('name = "x"\nversion = 2\n[severity]\nbatery = "note"\n[drivers]\ncamra = "x"\n')
    errors = " | ".join(examined(bench(), draft=draft).errors)
    assert "batery; did you mean 'battery'?" in errors
    assert "camra; did you mean 'camera'?" in errors


@pytest.mark.requirement("R7")
def test_an_older_profile_is_an_error_and_looking_accepts_nothing(bench: Make) -> None:
    camera = bench(policy={"version": 3})
    camera.state.mkdir()
    kept = camera.state / "profile.p7s"
    kept.write_bytes(sign_profile(camera.pki, {**POLICY, "version": 4}))
    before = kept.read_bytes()
    assert "older" in " ".join(examined(camera).errors)
    (camera.directory / "profile.p7s").write_bytes(sign_profile(camera.pki, {**POLICY, "version": 5}))
    assert examined(camera).errors == []
    assert kept.read_bytes() == before


def test_a_driver_and_an_option_that_nothing_has_are_named_with_the_nearest(bench: Make) -> None:
    camera = bench()
    edited(camera, ('driver = "nmea-serial"', 'driver = "nmea-seriel"'), ("bitrate =", "bitrte ="))
    errors = " | ".join(examined(camera).errors)
    assert "did you mean 'nmea-serial'?" in errors
    assert "no option 'bitrte'; did you mean 'bitrate'?" in errors


def test_the_command_prints_errors_apart_and_ends_with_1(bench: Make, capsys: pytest.CaptureFixture[str]) -> None:
    camera = bench()
    arguments = ["check-config", "--config", str(camera.directory / "device.toml"), "--allow-simulated"]
    assert main([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["errors"] == []
    assert said["policy"]["pre_event_s"] == 2
    assert said["differs"]["pre_event_s"] == {"value": 2, "default": 30}
    edited(camera, ("spool =", "spol ="))
    assert main(arguments) == 1
    assert "did you mean 'spool'?" in capsys.readouterr().err


def test_all_mistakes_of_a_table_are_told_and_a_right_one_has_none() -> None:
    assert list(mistakes({"v": 1, "name": "x", "version": 1}, Profile)) == []
    assert len(list(mistakes({"v": 2, "nam": 1, "pre_event_s": -1}, Profile))) == 4


# --- what looks wrong -------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(bench: Make) -> DeviceSettings:
    return load_settings(bench().directory / "device.toml")


def told(settings: DeviceSettings, policy: Profile = DEFAULT, **changes: Any) -> str:
    return " | ".join(warnings(msgspec.structs.replace(settings, **changes), policy, simulated=True))


def test_a_pin_that_is_used_twice(settings: DeviceSettings) -> None:
    channels = {"red": RED, "amber": LIGHTBAR}
    said = told(settings, indicators=Driver(driver="gpiozero", options={"channels": channels}))
    assert f"pin {LIGHTBAR} is used by line lightbar and channel amber" in said


def test_an_input_without_a_pin_and_a_pin_without_a_meaning(settings: DeviceSettings) -> None:
    inputs = {**settings.inputs, "siren": Input(kind="siren"), "peer": Input(kind="peer", source="message")}
    del inputs["lightbar"]
    said = told(settings, inputs=inputs)
    assert "input siren has no pin" in said
    assert "line lightbar has a pin and no meaning" in said
    assert "peer" not in said


def test_a_camera_that_cannot_know_when_it_is_docked(settings: DeviceSettings) -> None:
    assert "dock" not in told(settings)
    inputs = {name: one for name, one in settings.inputs.items() if one.kind != "dock"}
    assert "no input is the dock" in told(settings, inputs=inputs)


def test_a_preset_category_that_the_profile_does_not_have(settings: DeviceSettings) -> None:
    inputs = {**settings.inputs, "lightbar": Input(kind="light_bar", category="stop")}
    assert "presets the category 'stop', which the profile does not have" in told(settings, inputs=inputs)
    inputs = {**settings.inputs, "lightbar": Input(kind="light_bar", category="use_of_force")}
    assert "category" not in told(settings, inputs=inputs)


def test_sensors_that_would_never_start_anything(settings: DeviceSettings) -> None:
    inputs = {
        **settings.inputs,
        "fast": Input(kind="speed", source="sensor"),
        "crash": Input(kind="crash", source="sensor"),
    }
    said = told(settings, inputs=inputs)
    assert "input fast never starts" in said
    assert "input crash never starts" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"low_battery_min": 10, "critical_battery_min": 10}, "told only once"),
        ({"pre_event_s": 120}, "ring_mib holds 50 s"),
        ({"stop_reason_s": 0}, "D.3.b.(2)"),
        ({"vault_proof": False}, "nobody has shown that the vault's key"),
        ({"zone": "America/Conneticut"}, "no time zone"),
    ],
)
def test_a_policy_that_contradicts_itself(settings: DeviceSettings, changes: dict[str, Any], said: str) -> None:
    assert said not in told(settings)
    assert said in told(settings, msgspec.structs.replace(DEFAULT, **changes))


@pytest.mark.requirement("R6")
def test_on_a_real_camera_the_signed_profile_should_name_what_makes_evidence(settings: DeviceSettings) -> None:
    assert "it should say which one" in " ".join(warnings(settings, DEFAULT, simulated=False))
    named = {"camera": "simulated-scene", "microphone": "simulated-tone", "gps": "nmea-serial"}
    policy = msgspec.structs.replace(DEFAULT, drivers=named)
    assert "it should say which one" not in " ".join(warnings(settings, policy, simulated=False))


# --- who chooses the drivers ------------------------------------------------------------------------------------------

OWN = {"camera": Driver(driver="usb", options={"port": 1}), "gps": Driver(driver="nmea-serial")}


@pytest.mark.requirement("R7")
def test_the_profiles_driver_rules_over_device_toml_and_the_mismatch_is_said() -> None:
    chosen, overruled = choose(OWN, {"camera": "picamera2", "gps": "nmea-serial"}, lambda seam, name: None)
    assert chosen == {"camera": Driver(driver="picamera2"), "gps": OWN["gps"]}
    assert [(one.seam, "device.toml has 'usb'" in one.sentence) for one in overruled] == [("camera", True)]


@pytest.mark.requirement("R7")
def test_a_driver_that_only_the_profile_names_is_run_too() -> None:
    chosen, overruled = choose(OWN, {"microphone": "alsa"}, lambda seam, name: None)
    assert chosen["microphone"].driver == "alsa"
    assert "device.toml has none" in overruled[0].sentence


@pytest.mark.requirement("R21")
def test_a_profile_that_names_a_driver_which_is_not_installed_does_not_blind_the_camera() -> None:
    chosen, overruled = choose(OWN, {"camera": "nowhere"}, lambda seam, name: "it is not installed")
    assert chosen == OWN
    assert "it is not installed" in overruled[0].sentence


@pytest.mark.requirement("R7")
def test_the_running_camera_follows_the_profiles_drivers_and_logs_what_it_overruled(bench: Make) -> None:
    camera = bench(policy={"drivers": {"microphone": "simulated-tone", "battery": "nowhere"}}, microphone=False)
    camera.start()
    stem = camera.trigger(LIGHTBAR)
    camera.fragments(2)
    camera.stop()
    opened = camera.verify(stem).opened
    assert opened is not None
    assert ("microphone", "simulated-tone") in {(one.role, one.driver) for one in opened.sources}
    logged = {word for event, word, _ in camera.events() if event == "driver_overruled"}
    assert logged == {"microphone", "battery"}


# --- the profiles that come along -------------------------------------------------------------------------------------

PROFILES = Path(__file__).parents[2] / "device" / "profiles"


def test_the_default_profile_names_every_key_with_its_default() -> None:
    values = tomllib.loads((PROFILES / "default.toml").read_text("utf-8"))
    assert set(values) == set(Profile.__struct_fields__) - {"v"}
    policy = msgspec.convert({"v": 1, **values}, Profile)
    assert msgspec.structs.replace(policy, version=0) == DEFAULT


@pytest.mark.requirement("R7")
@pytest.mark.parametrize("name", ["default.toml", "connecticut.toml"])
def test_the_profiles_that_come_along_are_signed_and_accepted(bench: Make, tmp_path: Path, name: str) -> None:
    from fleet.__main__ import main as fleet

    camera = bench()
    arguments = ["sign-profile", str(PROFILES / name), "--key", str(camera.pki / "profile.key")]
    out = camera.directory / "profile.p7s"
    assert fleet([*arguments, "--cert", str(camera.pki / "profile.pem"), "--out", str(out)]) == 0
    found = examined(camera)
    assert found.errors == []
    assert found.policy == msgspec.convert({"v": 1, **tomllib.loads((PROFILES / name).read_text())}, Profile)


@pytest.mark.requirement("R26", "R28", "R31")
def test_the_connecticut_profile_cites_a_section_for_what_it_decides() -> None:
    text = (PROFILES / "connecticut.toml").read_text("utf-8")
    cited = {part for line in text.splitlines() if line.startswith("#") for part in line.replace(":", " ").split()}
    for section in ("D.1.b.(1)", "D.2.c.(1)", "D.3.b.(2)", "D.3.c", "D.5.a", "F.2.b", "I.2.a"):
        assert any(part.startswith(section) for part in cited), section
