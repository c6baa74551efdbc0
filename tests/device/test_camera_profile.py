"""A newer signed profile from the dock: taken or refused at once, followed from the next start on (R7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from camera_bench import POLICY, CameraBench, sign_profile
from people_bench import logged_details

from evidence.handover import Done, Refused
from evidence.requests import ProfileRequest
from fleet.ca import create_agency

Make = Callable[..., CameraBench]


@pytest.mark.requirement("R7")
def test_a_newer_profile_rules_from_the_next_start_on_and_nothing_else_is_taken(
    bench: Make, pki: Path, other_root: Path
) -> None:
    camera = bench().start(ready=False)

    def offer(values: dict[str, object], role: str = "profile", keys: Path = pki) -> Done | Refused:
        answer = camera.ask(ProfileRequest(profile=sign_profile(keys, {**POLICY, **values}, role)))
        assert isinstance(answer, Done | Refused)
        return answer

    for refused, why in (
        (offer({"version": 1, "pre_event_s": 60}), "version 1 is not newer than 1"),
        (offer({"version": 0}), "not newer"),
        (offer({"version": 2}, role="camera"), "refused"),
        (offer({"version": 2}, keys=other_root), "refused"),
        (offer({"version": 2, "pre_event_seconds": 5}), "pre_event_s"),
        (offer({"version": 2, "vault": ["0" * 64]}), "second signature"),
        (camera.ask(ProfileRequest(profile=b"no CMS at all")), "refused"),
    ):
        assert isinstance(refused, Refused), why
        assert why in refused.error
    assert camera.status().profile_next is None

    newer = sign_profile(pki, {**POLICY, "version": 2, "pre_event_s": 1})
    assert camera.ask(ProfileRequest(profile=newer)) == Done()
    assert camera.ask(ProfileRequest(profile=newer)) == Done(), "the answer may have been lost: once more is no mistake"
    assert offer({"version": 2, "name": "another"}) != Done(), "nor is a second one of the same number newer"
    assert (camera.status().profile_version, camera.status().profile_next) == (1, 2)
    camera.kill()

    camera.start(ready=False)
    assert (camera.status().profile_version, camera.status().profile_next) == (2, None)
    assert camera.stop() == 0
    refusals = logged_details(camera, "profile_refused")
    assert len(refusals) == 8, "the outdone profile beside device.toml is no new complaint at each start"
    (taken,) = logged_details(camera, "profile_taken")
    assert (taken["profile"], taken["version"]) == ("bench", 2)


@pytest.fixture(scope="session")
def other_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile key of an agency that is not ours."""
    directory = tmp_path_factory.mktemp("other")
    create_agency(directory)
    return directory
