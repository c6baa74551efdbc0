"""The technician's whole way (docs/flash.md): an agency's papers, a signed image, a card, and a camera that enrols."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from agency_on_disk import Agency
from card_bench import BOARD, FIRST, CardBench, make_image, run
from enrolment_bench import EnrolServer

from device.config import load_settings
from evidence.keys import load_certificates
from evidence.roles import serial_of
from fleet.__main__ import main
from fleet.camera_identity import load_identity
from fleet.first_boot import Places, first_boot


def fleet(*words: str | Path) -> None:
    assert main([str(word) for word in words]) == 0, words


@pytest.mark.requirement("R6")
def test_a_flashed_card_becomes_an_enrolled_camera(
    agency: Agency, tool: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table"
    (table / "agency").mkdir(parents=True)
    fleet("vault", "new", "Evidence vault", "Clerk", "--ca", agency.ca, "--out", table / "vaults")
    for role, serial in (("profile", "POLICY-1"), ("release", "RELEASE-1")):
        fleet("ca", "issue", role, "--ca", agency.ca, "--serial", serial, "--out", table / role)
    shutil.copy(agency.root, table / "agency")
    for place, name in enumerate(("evidence-vault", "clerk"), start=1):
        shutil.copy(table / "vaults" / f"{name}.pem", table / "agency" / f"vault-{place}.pem")
    (table / "policy.toml").write_text('name = "Trial"\nversion = 1\n')
    keys = ["--key", table / "profile.key", "--cert", table / "profile.pem"]
    fleet("sign-profile", table / "policy.toml", *keys, "--out", table / "agency" / "profile.p7s")
    make_image(table / "camera.img", tool)
    keys = ["--key", table / "release.key", "--cert", table / "release.pem"]
    fleet("sign-image", table / "camera.img", "--board", BOARD, "--version", "1.4.2", *keys)

    bench = CardBench(table, table, tool("mtype"))
    server, card = EnrolServer(agency, tmp_path / "server.log").start(), bench.card("card")
    try:
        words = bench.words([card], ["CAM-0042"], image=table / "camera.img")
        words[words.index("--enrol-server") + 1] = server.url
        fleet(*words, "--allow-file", "--ca", agency.ca)
        me = pwd.getpwuid(os.getuid()).pw_name
        camera = Places(
            tmp_path / "select", tmp_path / "etc", tmp_path / "var", me, me, (sys.executable, "-m", "device")
        )
        camera.select.mkdir()
        run(tool("mcopy"), "-s", "-i", f"{card}@@{FIRST}", "::", camera.select)
        first_boot(camera, lambda _: None)
    finally:
        server.stop()
    settings = load_settings(camera.etc / "device.toml")
    assert settings.serial == "CAM-0042"
    assert serial_of(load_certificates(Path(settings.keys.evidence_chain))[0]) == "CAM-0042"
    assert len(settings.keys.vault) == 2
    assert load_identity(camera.select).enrol.token is None, "it was used"
    capsys.readouterr()
    fleet("assets", bench.log)
    assert "CAM-0042  bodycam-zero2w  1.4.2" in capsys.readouterr().out
