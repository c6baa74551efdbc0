"""A camera's evidence key made inside a PKCS#11 token, which it never leaves: what an enrolment needs of it.

Afterwards the recorder uses the key through `evidence.keys_pkcs11`. Here it is made if it is not there yet, its public
half is read, and one request is signed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from evidence.errors import BadKey
from evidence.keys import SIGNING_CURVES, low_s, order_of
from evidence.keys_pkcs11 import TokenKey
from evidence.pkcs11_uri import TokenUri
from fleet.issuing import Curve

_NAMES: Final[dict[Curve, str]] = {"P-256": "secp256r1", "P-384": "secp384r1"}


class KeyInToken:
    """One key pair in a token, made at first use. Raises `BadKey`, `evidence.errors.SigningFailed`."""

    def __init__(self, uri: str, curve: Curve) -> None:
        self.uri = TokenUri.parse(uri)
        if self.uri.label is None:
            raise BadKey("name the evidence key in the token with object=NAME in its URI")
        self.public_key = self._find_or_make(curve)
        self._key = TokenKey(self.uri)

    def sign_digest(self, digest: bytes) -> bytes:
        """ECDSA over a digest, DER."""
        from pkcs11 import Mechanism

        raw: bytes = self._key.use(lambda key: key.sign(digest, mechanism=Mechanism.ECDSA))
        half = len(raw) // 2
        r, s = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
        return low_s(encode_dss_signature(r, s), order_of(self.public_key.curve))

    def _find_or_make(self, curve: Curve) -> ec.EllipticCurvePublicKey:
        try:
            from pkcs11 import Attribute, KeyType, NoSuchKey, ObjectClass
            from pkcs11.exceptions import PKCS11Error
            from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
        except ModuleNotFoundError as error:
            raise BadKey("keys in tokens need python-pkcs11: pip install 'firsthand[pkcs11]'") from error
        try:
            with self._session() as session:
                try:
                    public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, label=self.uri.label)
                except NoSuchKey:
                    named = {Attribute.EC_PARAMS: encode_named_curve_parameters(_NAMES[curve])}
                    parameters = session.create_domain_parameters(KeyType.EC, named, local=True)
                    kept = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True}
                    public, _ = parameters.generate_keypair(
                        store=True, label=self.uri.label, id=self.uri.identifier, private_template=kept
                    )
                key = serialization.load_der_public_key(encode_ec_public_key(public))
        except PKCS11Error as error:
            raise BadKey(f"the token does not make or show the key: {error or type(error).__name__}") from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, SIGNING_CURVES):
            raise BadKey(f"the key {self.uri.label} in the token is neither P-256 nor P-384")
        return key

    @contextlib.contextmanager
    def _session(self) -> Iterator[Any]:
        import pkcs11

        try:
            module = pkcs11.lib(str(self.uri.module))
        except RuntimeError as error:
            raise BadKey(f"the PKCS#11 module {self.uri.module} cannot be loaded: {error}") from error
        wanted: dict[str, Any] = {"token_label": self.uri.token, "token_serial": self.uri.serial}
        found = list(module.get_tokens(**{name: value for name, value in wanted.items() if value is not None}))
        if len(found) != 1:
            raise BadKey(f"{'no' if not found else 'more than one'} token is called that: {self.uri.text}")
        try:
            session = found[0].open(rw=True, user_pin=self.uri.pin())
        except pkcs11.UserAlreadyLoggedIn:  # another session of this process has logged in
            session = found[0].open(rw=True)
        with session:
            yield session
