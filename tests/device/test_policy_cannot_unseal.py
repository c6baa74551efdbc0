"""Encryption and signing are no policy: whatever a signed profile says, the camera seals and signs (R7, R41)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from camera_bench import LIGHTBAR, CameraBench, statements
from msgspec import inspect as types

from device.policy import Profile
from device.profile import DEFAULT
from evidence.statements import Open, Sealed

FORBIDDEN = ("crypt", "cipher", "seal", "sign", "plain", "clear", "unprotected", "key", "hash", "verify", "insecure")


def keys(kind: Any) -> Iterator[str]:
    """Every key of a profile, those of its inner tables too."""
    info = types.type_info(kind)
    assert isinstance(info, types.StructType)
    for field in info.fields:
        yield field.encode_name
        for inner in (field.type, getattr(field.type, "item_type", None)):
            if isinstance(inner, types.StructType):
                yield from keys(inner.cls)


def least() -> dict[str, Any]:
    """A profile in which everything that can be off is off, and every number is the smallest that is allowed."""
    values: dict[str, Any] = {}
    info = types.type_info(Profile)
    assert isinstance(info, types.StructType)
    for field in info.fields:
        if isinstance(field.type, types.BoolType):
            values[field.encode_name] = False
        elif isinstance(field.type, types.IntType):
            values[field.encode_name] = field.type.ge
        elif isinstance(field.type, types.VarTupleType):
            values[field.encode_name] = []
    return values


@pytest.mark.requirement("R7", "R41")
def test_no_key_of_a_profile_is_about_encryption_or_signing() -> None:
    about = [key for key in keys(Profile) for word in FORBIDDEN if word in key]
    assert about == []


@pytest.mark.requirement("R7", "R41")
def test_a_profile_with_everything_off_still_signs_and_seals_every_second(bench: Callable[..., CameraBench]) -> None:
    off = {**least(), "v": 1, "version": 1, "mute": "off", "zone": "UTC", "roll_over_s": 86_400}
    assert set(off) < set(Profile.__struct_fields__)
    msgspec.convert({**off, "name": "off"}, Profile)
    camera = bench(policy=off)
    camera.start(ready=False)
    stem = camera.trigger(LIGHTBAR)
    camera.fragments(2)
    camera.stop()
    assert camera.verify(stem).valid
    said = statements(camera.path(stem))
    opened = next(one for one in said if isinstance(one, Open))
    assert len(opened.recipients) == 1
    sealed = [one for one in said if isinstance(one, Sealed)]
    assert {one.object for one in sealed} >= {"init", "media", "metadata"}
    assert b"moof" not in camera.path(stem).read_bytes()


@pytest.mark.requirement("R6", "R7")
def test_a_profile_cannot_bring_a_vault_of_its_own() -> None:
    """It may only name the hashes of vaults, which the certificates on the camera must then have."""
    assert DEFAULT.vault == ()
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"v": 1, "name": "x", "version": 1, "vault": ["-----BEGIN CERTIFICATE-----"]}, Profile)
