"""A SoftHSM token for tests: keys that cannot be read out again, behind the real PKCS#11 interface."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pkcs11
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pkcs11 import Attribute
from pkcs11.util.ec import decode_ec_private_key

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
)
PIN = "471147"


@dataclass(frozen=True)
class SoftToken:
    directory: Path
    module: str
    pin_file: Path

    @classmethod
    def create(cls, directory: Path, softhsm: str, label: str = "Cam") -> SoftToken:
        """A new token in its own directory; this process's module sees it from now on."""
        (directory / "tokens").mkdir(parents=True)
        configuration = directory / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {directory}/tokens\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(configuration)
        command = [softhsm, "--init-token", "--free", "--label", label, "--so-pin", "00000000", "--pin", PIN]
        subprocess.run(command, check=True, capture_output=True)
        module = next(path for path in MODULES if Path(path).exists())
        pkcs11.lib(module).reinitialize()
        pin_file = directory / "pin"
        pin_file.write_text(f"{PIN}\n")
        pin_file.chmod(0o600)
        return cls(directory, module, pin_file)

    def put(self, name: str, key: ec.EllipticCurvePrivateKey) -> str:
        """Move a key into the token, from which it cannot come out; its URI."""
        encoded = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        template = decode_ec_private_key(encoded) | {
            Attribute.TOKEN: True,
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.SIGN: True,
            Attribute.DERIVE: True,
            Attribute.LABEL: name,
        }
        with pkcs11.lib(self.module).get_token(token_label="Cam").open(rw=True, user_pin=PIN) as session:
            session.create_object(template)
        return self.uri(name)

    def uri(self, name: str, token: str = "Cam") -> str:
        return f"pkcs11:token={token};object={name}?module-path={self.module}&pin-source={self.pin_file}"

    def pull_out(self) -> None:
        (self.directory / "tokens").rename(self.directory / "away")
        (self.directory / "tokens").mkdir()

    def put_back(self) -> None:
        (self.directory / "tokens").rmdir()
        (self.directory / "away").rename(self.directory / "tokens")
