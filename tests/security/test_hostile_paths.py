"""No name that comes over a network leads anywhere but where such names belong."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

BASE = Path(__file__).resolve().parents[2]
sys.path.append(str(BASE / "tests/dock"))

from dock_bench import TUS, Client  # noqa: E402
from page_bench import PASSWORD, Bench, open_bench  # noqa: E402

from dock.tls import peer_of  # noqa: E402
from fleet.ca import Authority, create_agency, write_credential  # noqa: E402

SENTINEL = b"what lies outside"
NAMES = (
    "../outside.txt",
    "../../outside.txt",
    "....//outside.txt",
    "..\\outside.txt",
    "/etc/passwd",
    "SIM-0001-000001.evidence/../../outside.txt",
    "SIM-0001-000001.evidence\0.txt",
    "SIM-0001-000001.evidence\n",
    "..",
    ".",
    "~root",
    "%2e%2e%2foutside.txt",
    "SIM-0001-00000\u0661.evidence",
    "\uff0e\uff0e\uff0foutside.txt",
    "A" * 5000,
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    opened = open_bench(tmp_path_factory.mktemp("paths"), cameras=1, page="wall = true")
    (opened.directory / "outside.txt").write_bytes(SENTINEL)
    (opened.data / "outside.txt").write_bytes(SENTINEL)
    yield opened
    opened.close()


def outside(bench: Bench) -> dict[str, str]:
    """Everything beside the station's directory, by its digest; the station's log grows of itself."""
    return {
        str(path.relative_to(bench.directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(bench.directory.rglob("*"))
        if path.is_file() and not path.is_relative_to(bench.data) and path.suffix != ".log"
    }


def spelled(name: str) -> tuple[str, ...]:
    """As a client may write it into an address: plain where that can be sent, escaped, and escaped twice."""
    escaped = quote(name, safe="", encoding="utf-8")
    plain = (name,) if re.fullmatch(r"[!-~]+", name) else ()
    return (*plain, escaped, quote(escaped, safe=""))


def camera_addresses() -> list[tuple[str, str]]:
    """Method and address of each route for cameras that takes a name, from the station's own document."""
    paths = json.loads((BASE / "docs/openapi.json").read_text())["paths"]
    return [(method.upper(), path) for path, methods in paths.items() if "{" in path for method in methods]


@pytest.mark.requirement("R33", "R41")
def test_no_name_of_a_camera_leads_out_of_the_stations_directory(bench: Bench) -> None:
    before, asked = outside(bench), 0
    client = Client(bench.station.port, bench.pki, f"{bench.serials[0]}-tls")
    for method, address in camera_addresses():
        for name in (one for each in NAMES for one in spelled(each)):
            path = re.sub(r"\{[a-z_0-9]+\}", lambda _, name=name: name, address)
            headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
            body = b"" if method in ("GET", "HEAD", "OPTIONS") else b"forged"
            try:
                status, _, answer = client(method, path, headers, body)
            except (http.client.HTTPException, OSError, ssl.SSLError):
                client = Client(bench.station.port, bench.pki, f"{bench.serials[0]}-tls")  # it hung up
                continue
            asked += 1
            assert status >= 400 or method == "OPTIONS", f"{method} {path[:100]}: {status}"
            assert SENTINEL not in answer
            assert status != 500, f"{method} {path[:100]}"
    assert asked > 200
    for name in NAMES:
        with contextlib.suppress(UnicodeEncodeError):
            assert client.create(name, 6)[0] in (400, 403, 404), name
    assert client("GET", "/system")[0] == 200
    client.close()
    assert outside(bench) == before
    assert not [path for path in bench.data.rglob("*") if path.is_file() and path.read_bytes() == b"forged"]


@pytest.mark.requirement("R33", "R41")
def test_no_name_of_a_browser_does_either(bench: Bench) -> None:
    before = outside(bench)
    with bench.client() as client:
        token = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
        assert token is not None
        form = {"csrf": token[1], "person": "adm1", "password": PASSWORD, "next": "//evil.example.org/"}
        answer = client.post("/login", data=form, headers={"Origin": bench.page_url})
        assert (answer.status_code, answer.headers["location"]) == (303, "/"), "nobody is led elsewhere"
        for prefix in ("/recordings/", "/cameras/", "/malfunctions/", "/assets/0/", "/assets/../"):
            for name in (one for each in NAMES for one in spelled(each) if len(one) < 4000):
                found = client.send(
                    client.build_request("GET", httpx.URL(bench.page_url, raw_path=(prefix + name).encode()))
                )
                assert found.status_code in (200, 303, 307, 400, 403, 404, 414), f"{prefix}{name}: {found.status_code}"
                assert SENTINEL not in found.content
                led = found.headers.get("location", "/")
                assert led.startswith((bench.page_url, "/")), led
                assert not led.startswith("//"), led
        assert client.get("/recordings").status_code == 200
    assert outside(bench) == before


@pytest.mark.requirement("R33")
def test_cookies_are_for_this_page_only_and_no_script(bench: Bench) -> None:
    with bench.client() as client:
        cookie = client.get("/login").headers["set-cookie"]
        assert cookie.startswith("__Host-")
        assert {"secure", "httponly", "path=/", "samesite=strict"} <= {
            one.strip().lower() for one in cookie.split(";")[1:]
        }
        assert "domain=" not in cookie.lower()


@pytest.mark.requirement("R33", "R41")
@pytest.mark.parametrize("serial", ["../../escaped", "SIM-0001/../x", "sim-0001", "SIM 0001", "S" * 33])
def test_a_certificate_with_a_path_for_a_serial_is_nobodys(serial: str, bench: Bench, tmp_path: Path) -> None:
    """Files of the station are named after serials: an authority that signed anything still names no path."""
    authority: Authority = create_agency(tmp_path / "pki")
    write_credential(tmp_path, "odd", authority.tls_client(serial))
    write_credential(tmp_path, "good", authority.tls_client("SIM-0001"))
    der = {
        stem: ssl.PEM_cert_to_DER_cert((tmp_path / f"{stem}.pem").read_text().split("-----END CERTIFICATE-----")[0]
                                       + "-----END CERTIFICATE-----\n")
        for stem in ("odd", "good")
    }  # fmt: skip
    assert peer_of(der["odd"]) is None
    found = peer_of(der["good"])
    assert found is not None
    assert found.serial == "SIM-0001"
