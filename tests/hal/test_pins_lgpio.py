"""Pins on a chosen GPIO chip. That they move is shown on the kernel's own simulated chip, in the lab."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from hal.errors import BadDriverOption, DeviceLost
from hal.indicators_gpiozero import GpiozeroIndicators
from hal.pins_lgpio import chip_factory
from hal.switches_gpiozero import GpiozeroSwitches


@pytest.fixture
def lgpio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The real library; only opening a chip and asking for its label can be answered by a test."""
    monkeypatch.setenv("LG_WD", str(tmp_path))
    try:
        with contextlib.chdir("."):
            import lgpio as library
    except ImportError:
        assert os.environ.get("CI") != "true", "CI must have lgpio"
        pytest.skip("lgpio has no wheel for this Python: install Debian's python3-lgpio")
    return library


@pytest.mark.usefixtures("lgpio")
@pytest.mark.parametrize("chip", [63, "no-such-chip"])
def test_a_chip_that_is_not_there_is_the_fault_of_its_pins_and_not_of_the_start(chip: int | str) -> None:
    factory = chip_factory(chip)
    with pytest.raises(DeviceLost, match=r"input lines lost: record_button on pin 17 .*check the setting `chip`"):
        GpiozeroSwitches({"record_button": {"pin": 17}}, factory).start(lambda _: None)
    with pytest.raises(DeviceLost, match="indicator 'red' cannot use pin 22"):
        GpiozeroIndicators({"red": 22}, factory).on("red")


def test_a_chip_is_found_by_its_label_and_a_board_without_revision_has_forty_pins(
    lgpio: Any, mocker: MockerFixture
) -> None:
    mocker.patch("hal.pins_lgpio._numbers", return_value=[0, 3, 11])
    mocker.patch.object(lgpio, "gpiochip_open", side_effect=lambda number: 100 + number)
    mocker.patch.object(lgpio, "gpiochip_close")
    labels = {100: "raspberrypi-exp-gpio", 103: "pinctrl-rp1", 111: "other"}
    mocker.patch.object(lgpio, "gpio_get_chip_info", side_effect=lambda handle: [0, 54, "x", labels[handle]])
    claimed = mocker.patch.object(lgpio, "gpio_claim_input")
    factory = chip_factory("pinctrl-rp1")
    pin = factory.pin(21)
    assert (factory.chip, pin.info.name) == (3, "GPIO21")
    assert claimed.call_args.args[:2] == (103, 21)
    assert lgpio.gpiochip_close.call_args_list == [mocker.call(100)]
    factory.close()


@pytest.mark.parametrize("chip", [True, -1, 64, "", "x" * 32, 1.5])
def test_a_chip_that_cannot_be_is_refused(chip: Any) -> None:
    with pytest.raises(BadDriverOption, match="chip"):
        chip_factory(chip)


@pytest.mark.usefixtures("lgpio")
def test_the_programs_own_directory_stays_what_it_was(tmp_path: Path) -> None:
    """lgpio leaves the program in LG_WD: a relative path in its arguments would mean another file from then on."""
    program = "import os; from hal.pins_lgpio import chip_factory; chip_factory(63); print(os.getcwd())"
    (tmp_path / "fifo").mkdir()
    environment = {**os.environ, "LG_WD": str(tmp_path / "fifo"), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert done.stdout.strip() == str(tmp_path)
    assert list((tmp_path / "fifo").iterdir()), "and lgpio has its FIFO where it was told"
