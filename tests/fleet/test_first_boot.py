"""A new camera's first boot: what was flashed becomes settings, keys and certificates of its own, cut off or not."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from agency_on_disk import Agency
from cryptography.hazmat.primitives.asymmetric import ec
from enrolment_bench import EnrolServer
from hypothesis import given
from hypothesis import strategies as st

from device.config import load_settings
from dock.config_agent import AgentConfig
from evidence.keys import load_certificates
from evidence.roles import key_level_of, serial_of
from evidence.settings import BadSettings, load_toml
from fleet import first_boot as steps
from fleet.__main__ import main
from fleet.camera_identity import CameraIdentity, Enrol, Station, identity_text, load_identity
from fleet.errors import BadAuthority, RequestRefused, ServerUnreachable, WrongServer
from fleet.first_boot import NotReady, Places, first_boot
from fleet.issuing import pem, vault_leaf

SERIAL = "CAM-0042"


@pytest.fixture
def server(agency: Agency, tmp_path: Path) -> Iterator[EnrolServer]:
    server = EnrolServer(agency, tmp_path / "server.log").start()
    yield server
    server.stop()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A card's partition 1 and the directories of a camera, for the users of this machine."""
    me = pwd.getpwuid(os.getuid()).pw_name
    other = "nobody" if os.geteuid() == 0 else me
    return Places(tmp_path / "select", tmp_path / "etc", tmp_path / "var", me, other, (sys.executable, "-m", "device"))


@pytest.fixture
def vault(agency: Agency, tmp_path: Path) -> Path:
    made, *_ = agency.keys().issue(vault_leaf("Vault", "PD"), ec.generate_private_key(ec.SECP256R1()).public_key())
    path = tmp_path / "vault.pem"
    path.write_bytes(pem(made))
    return path


def flashed(
    places: Places, agency: Agency, server: EnrolServer, vault: Path, tmp_path: Path, **enrol: str
) -> CameraIdentity:
    """What `flash` leaves on partition 1."""
    more = ["--key-level", enrol["key_level"]] if "key_level" in enrol else []
    token = server.token(SERIAL, tmp_path, *more).read_text().strip()
    settings = Enrol(**{"server": server.url, "ca_sha256": agency.fingerprint, "token": token, **enrol})  # type: ignore[arg-type]
    identity = CameraIdentity(
        v=1, serial=SERIAL, board="dev-webcam", enrol=settings,
        station=Station(url="https://dock.example:8443", system_id="example-pd"),
    )  # fmt: skip
    (places.select / "agency").mkdir(parents=True)
    (places.select / "identity.toml").write_text(identity_text(identity))
    shutil.copy(agency.root, places.select / "agency/root.pem")
    shutil.copy(vault, places.select / "agency/vault-1.pem")
    (places.select / "agency/profile.p7s").write_bytes(b"\x30\x00")  # the recorder judges it, not the first boot
    return identity


@pytest.mark.requirement("R6")
def test_a_flashed_camera_makes_its_keys_and_settings(
    places: Places, agency: Agency, server: EnrolServer, vault: Path, tmp_path: Path
) -> None:
    identity = flashed(places, agency, server, vault, tmp_path)
    said: list[str] = []
    first_boot(places, said.append)

    settings = load_settings(places.etc / "device.toml")
    assert settings.serial == SERIAL
    assert settings.keys.evidence_key == str(places.keys / "camera.key")
    assert serial_of(load_certificates(Path(settings.keys.evidence_chain))[0]) == SERIAL
    assert [Path(one).read_bytes() for one in settings.keys.vault] == [vault.read_bytes()]
    assert settings.spool == str(places.var / "spool")

    agent = load_toml(places.etc / "agent.toml", AgentConfig)
    assert agent.station.url == "https://dock.example:8443"
    assert agent.tls.key == places.keys / "camera-tls.key"
    assert agent.updates.install == Path("/usr/lib/firsthand/install-update")
    assert (places.etc / "station.sources").read_text().startswith("server dock.example iburst")

    assert identity.enrol.token is not None
    assert not any(identity.enrol.token in line for line in said), "the token is in the journal"
    assert identity.enrol.token not in (places.select / "identity.toml").read_text()
    assert load_identity(places.select).enrol.token is None


@pytest.mark.requirement("R6")
def test_each_key_is_for_one_user_only(
    places: Places, agency: Agency, server: EnrolServer, vault: Path, tmp_path: Path
) -> None:
    flashed(places, agency, server, vault, tmp_path)
    first_boot(places, lambda _: None)
    for name, user in (("camera.key", places.device_user), ("camera-tls.key", places.agent_user)):
        found = (places.keys / name).stat()
        assert found.st_uid == pwd.getpwnam(user).pw_uid
        assert stat.S_IMODE(found.st_mode) == 0o600


def test_a_read_only_partition_keeps_the_token_until_somebody_may_write(
    places: Places,
    agency: Agency,
    server: EnrolServer,
    vault: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the unit sees it: its sandbox cannot mount, its next step can."""
    flashed(places, agency, server, vault, tmp_path)
    with pytest.raises(BadAuthority, match="not enrolled yet"):
        steps.drop_used_token(places, lambda _: None)
    with monkeypatch.context() as patch:
        patch.setattr(steps, "read_only", lambda _: True)
        first_boot(places, lambda _: None)
    assert (places.etc / "agent.toml").exists()
    assert load_identity(places.select).enrol.token is not None
    words = ["first-boot", "--drop-token", "--from", str(places.select), "--etc", str(places.etc)]
    assert main(words) == 0
    assert load_identity(places.select).enrol.token is None


def test_a_second_run_changes_nothing(
    places: Places, agency: Agency, server: EnrolServer, vault: Path, tmp_path: Path
) -> None:
    flashed(places, agency, server, vault, tmp_path)
    first_boot(places, lambda _: None)
    (places.etc / "agent.toml").write_text("# a technician's\n")
    before = {path: path.read_bytes() for path in places.etc.rglob("*") if path.is_file()}
    said: list[str] = []
    first_boot(places, said.append)
    assert {path: path.read_bytes() for path in places.etc.rglob("*") if path.is_file()} == before
    assert said == []


STEPS = ("take_agency", "where_key", "enrol", "give_keys", "write_device", "agent_text", "drop_token")


@pytest.mark.parametrize("step", STEPS)
def test_a_cut_at_any_step_is_made_good_by_the_next_boot(
    places: Places,
    agency: Agency,
    server: EnrolServer,
    vault: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    flashed(places, agency, server, vault, tmp_path)

    class PowerCut(Exception):
        pass

    def cut(*_: object, **__: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(steps, step, cut)
        with pytest.raises(PowerCut):
            first_boot(places, lambda _: None)
    assert load_identity(places.select).enrol.token is not None, "the token went before the camera was ready"
    first_boot(places, lambda _: None)
    assert load_settings(places.etc / "device.toml").serial == SERIAL
    assert load_identity(places.select).enrol.token is None


def test_no_server_yet_means_later(
    places: Places, agency: Agency, server: EnrolServer, vault: Path, tmp_path: Path
) -> None:
    flashed(places, agency, server, vault, tmp_path)
    server.stop()
    with pytest.raises(ServerUnreachable):
        first_boot(places, lambda _: None)
    server.start()
    again = load_identity(places.select)
    moved = msgspec.structs.replace(again, enrol=msgspec.structs.replace(again.enrol, server=server.url))
    (places.select / "identity.toml").write_text(identity_text(moved))
    first_boot(places, lambda _: None)


def test_a_used_token_enrols_nobody_else(
    places: Places, agency: Agency, server: EnrolServer, vault: Path, tmp_path: Path
) -> None:
    """A copy of the flashed card in a second camera gets no certificate."""
    flashed(places, agency, server, vault, tmp_path)
    shutil.copytree(places.select, tmp_path / "copy")
    first_boot(places, lambda _: None)
    second = Places(tmp_path / "copy", tmp_path / "etc2", tmp_path / "var2", places.device_user, places.agent_user)
    with pytest.raises(RequestRefused):
        first_boot(second, lambda _: None)


def test_another_agencys_root_is_refused_before_anything_is_sent(
    places: Places, agency: Agency, server: EnrolServer, vault: Path, tmp_path: Path
) -> None:
    flashed(places, agency, server, vault, tmp_path)
    shutil.copy(vault, places.select / "agency/root.pem")
    with pytest.raises(WrongServer, match="not the root that identity"):
        first_boot(places, lambda _: None)
    assert not (places.keys / "camera.key").exists()


def test_a_camera_without_keys_whose_token_is_gone_says_what_to_do(
    places: Places, agency: Agency, server: EnrolServer, vault: Path, tmp_path: Path
) -> None:
    flashed(places, agency, server, vault, tmp_path)
    first_boot(places, lambda _: None)
    shutil.rmtree(places.etc)
    with pytest.raises(BadAuthority, match="make a new one"):
        first_boot(places, lambda _: None)


class TestSecureElement:
    @pytest.fixture
    def element(self, tool: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        pytest.importorskip("pkcs11")
        from soft_token import SoftToken

        token = SoftToken.create(tmp_path / "token", tool("softhsm2-util"))
        monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "token/softhsm2.conf"))
        return token.uri("evidence")

    @pytest.mark.requirement("R6")
    def test_the_key_is_made_in_it_and_the_certificate_says_so(
        self, places: Places, agency: Agency, server: EnrolServer, vault: Path, tmp_path: Path, element: str
    ) -> None:
        flashed(places, agency, server, vault, tmp_path, secure_element=element, key_level="non_exportable")
        first_boot(places, lambda _: None)
        assert not (places.keys / "camera.key").exists()
        settings = load_settings(places.etc / "device.toml")
        assert settings.keys.evidence_key == element
        assert key_level_of(load_certificates(places.keys / "camera.pem")[0]) == "non_exportable"

    def test_a_key_that_was_vouched_for_is_never_made_in_a_file(
        self, places: Places, agency: Agency, server: EnrolServer, vault: Path, tmp_path: Path
    ) -> None:
        gone = "pkcs11:token=none;object=evidence?module-path=/usr/lib/no-such-module.so"
        flashed(places, agency, server, vault, tmp_path, secure_element=gone, key_level="non_exportable")
        with pytest.raises(NotReady, match="cannot be copied"):
            first_boot(places, lambda _: None)
        assert list(places.keys.iterdir()) == []

    def test_without_the_element_a_key_of_level_file_goes_into_a_file(
        self, places: Places, agency: Agency, server: EnrolServer, vault: Path, tmp_path: Path
    ) -> None:
        gone = "pkcs11:token=none;object=evidence?module-path=/usr/lib/no-such-module.so"
        flashed(places, agency, server, vault, tmp_path, secure_element=gone)
        said: list[str] = []
        first_boot(places, said.append)
        assert (places.keys / "camera.key").exists()
        assert "no secure element" in said[0]
        assert key_level_of(load_certificates(places.keys / "camera.pem")[0]) == "file"


class TestIdentity:
    @given(
        st.builds(
            CameraIdentity,
            v=st.just(1),
            serial=st.from_regex(r"[A-Z0-9]{1,8}-[0-9]{1,6}", fullmatch=True),
            board=st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
            vehicle=st.none() | st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40),
            enrol=st.builds(
                Enrol, server=st.just("https://enrol.example:8444"), ca_sha256=st.just("ab" * 32),
                token=st.none() | st.from_regex(r"[\x21-\x7e]{16,64}", fullmatch=True),
                key_level=st.just("file"), secure_element=st.none(),
            ),
            station=st.none(),
        )
    )  # fmt: skip
    def test_what_is_written_is_read_again(self, identity: CameraIdentity) -> None:
        import tomllib

        assert msgspec.convert(tomllib.loads(identity_text(identity)), CameraIdentity) == identity

    @pytest.mark.parametrize(
        ("wrong", "sentence"),
        [
            ("v = 2\n", "v: invalid"),
            ('serial = "a/b"\n', "serial"),
            ('board = "../../etc"\n', "board"),
            ('sreial = "CAM-1"\n', "did you mean 'serial'"),
            ("\0", "not valid TOML"),
            ("x = 1\n" * 60_000, "larger than"),
        ],
    )
    def test_a_wrong_one_is_refused_in_one_sentence(self, tmp_path: Path, wrong: str, sentence: str) -> None:
        good = 'v = 1\nserial = "CAM-1"\nboard = "dev-webcam"\n'
        key = wrong.partition(" ")[0]
        text = "".join(line + "\n" for line in good.splitlines() if not line.startswith(f"{key} ="))
        enrol = f'[enrol]\nserver = "https://a:1"\nca_sha256 = "{"ab" * 32}"\n'
        (tmp_path / "identity.toml").write_text(wrong + text + enrol)
        with pytest.raises(BadSettings, match=r"^[^\n]*$") as caught:
            load_identity(tmp_path)
        assert sentence in str(caught.value)

    def test_a_card_that_was_never_flashed_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(BadSettings, match="firsthand-fleet flash"):
            load_identity(tmp_path)
