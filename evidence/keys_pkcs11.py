"""Keys in a PKCS#11 token: a smart card, an HSM, a secure element, a TPM behind its module (SoftHSM in tests).

One session, one lock: tokens are slow and their sessions are not made for threads. A token that was away (pulled out,
reset, its daemon restarted) is opened again at the next use, once; what still fails then is `SigningFailed`, and may
be tried again later. What no retry can mend (no such key, wrong PIN, foreign certificate) is `BadKey`. A wrong PIN is
never tried twice: tokens lock themselves.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from evidence import der
from evidence.errors import BadKey, SigningFailed
from evidence.keys import SIGNING_CURVES, load_certificates, low_s, order_of
from evidence.limits import CERTIFICATES
from evidence.pkcs11_uri import TokenUri
from evidence.roles import KeyLevel, key_level_of

if TYPE_CHECKING:
    import pkcs11

T = TypeVar("T")
_PROBE: Final = bytes(range(32))


def _library() -> Any:
    try:
        import pkcs11 as library
    except ModuleNotFoundError as error:
        raise BadKey("keys in tokens need python-pkcs11: pip install 'firsthand[pkcs11]'") from error
    return library


class TokenKey:
    """One private key in a token, with its session. Safe to use from several threads."""

    def __init__(self, uri: TokenUri) -> None:
        self.uri = uri
        self._pkcs11 = _library()
        self._lock = threading.Lock()
        self._session: pkcs11.Session | None = None
        self._key: pkcs11.PrivateKey | None = None
        self._refused: BadKey | None = None
        self._used = False

    def use(self, work: Callable[[Any], T]) -> T:
        """Do something with the key object, with one new session if the old one is gone.

        Raises `BadKey` or `SigningFailed`.
        """
        with self._lock:
            if self._key is not None:
                try:
                    return work(self._key)
                except self._pkcs11.PKCS11Error:
                    self._drop()
            try:
                return work(self._open())
            except self._pkcs11.PKCS11Error as error:
                self._drop()
                raise SigningFailed(f"the token does not do its work now: {self._words(error)}") from error
            except BadKey:
                self._drop()
                raise

    def _words(self, error: Exception) -> str:
        return str(error) or type(error).__name__

    def _drop(self) -> None:
        session, self._session, self._key = self._session, None, None
        if session is not None:
            try:
                session.close()
            except self._pkcs11.PKCS11Error:
                return  # it is gone already, which is why it is dropped

    def _open(self) -> pkcs11.PrivateKey:
        if self._refused is not None:
            raise self._refused
        library = self._pkcs11
        try:
            module = library.lib(str(self.uri.module))
        except RuntimeError as error:
            raise BadKey(f"the PKCS#11 module {self.uri.module} cannot be loaded: {self._words(error)}") from error
        try:
            if self._used:  # a module keeps what it knows of a token until it begins anew
                module.reinitialize()
            self._session = self._log_in(self._token(module))
            self._key = self._find(self._session)
        except (library.PinIncorrect, library.PinLocked, library.PinInvalid, library.PinLenRange) as error:
            self._refused = BadKey(f"the token refuses the PIN for {self.uri.text}: {self._words(error)}")
            raise self._refused from error
        self._used = True
        return self._key

    def _token(self, module: Any) -> Any:
        wanted = {"token_label": self.uri.token, "token_serial": self.uri.serial}
        found = list(module.get_tokens(**{name: value for name, value in wanted.items() if value is not None}))
        if len(found) == 1:
            return found[0]
        what = "there is no such token" if not found else "more than one token has that name: add serial="
        if self._used and not found:
            raise self._pkcs11.TokenNotPresent(f"{what}: {self.uri.text}")
        raise BadKey(f"{what}: {self.uri.text}")

    def _log_in(self, token: Any) -> Any:
        pin = self.uri.pin()
        try:
            return token.open(user_pin=pin)
        except self._pkcs11.UserAlreadyLoggedIn:  # another session of this process has logged in
            return token.open()

    def _find(self, session: Any) -> Any:
        wanted: dict[str, Any] = {"object_class": self._pkcs11.ObjectClass.PRIVATE_KEY}
        if self.uri.label is not None:
            wanted["label"] = self.uri.label
        if self.uri.identifier is not None:
            wanted["id"] = self.uri.identifier
        try:
            return session.get_key(**wanted)
        except self._pkcs11.NoSuchKey as error:
            raise BadKey(f"the token has no such private key (or needs a PIN): {self.uri.text}") from error
        except self._pkcs11.MultipleObjectsReturned as error:
            raise BadKey(f"the token has several such keys, add id=: {self.uri.text}") from error


class Pkcs11Signer:
    """An evidence key that cannot leave its token. Its level is what the certificate states."""

    def __init__(self, key: TokenKey, chain: Sequence[x509.Certificate]) -> None:
        self._key = key
        self.chain = tuple(chain)
        self.certificate = self.chain[0]
        self.level: KeyLevel = key_level_of(self.certificate) or "file"
        if len(self.chain) > CERTIFICATES:
            raise BadKey(f"a chain has at most {CERTIFICATES} certificates")
        public = self.certificate.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, SIGNING_CURVES):
            raise BadKey("the certificate of a signing key must be for P-256 or P-384")
        self._curve = public.curve
        try:
            public.verify(self.sign_digest(_PROBE), _PROBE, ec.ECDSA(Prehashed(hashes.SHA256())))
        except SigningFailed as error:
            raise BadKey(f"the signing key cannot be used: {error}") from error
        except InvalidSignature as error:
            raise BadKey("the key in the token does not belong to the first certificate of the chain") from error

    @classmethod
    def load(cls, uri: str, chain_path: Path) -> Pkcs11Signer:
        """From a PKCS#11 URI and a PEM chain, leaf first, without the root. Raises `BadKey`."""
        return cls(TokenKey(TokenUri.parse(uri)), load_certificates(chain_path))

    def sign_digest(self, digest: bytes) -> bytes:
        """ECDSA over a SHA-256 or SHA-384 digest: DER, low s. Raises `SigningFailed` or `BadKey`."""
        from pkcs11 import Mechanism

        raw: bytes = self._key.use(lambda key: key.sign(digest, mechanism=Mechanism.ECDSA))
        half = self._curve.key_size // 8
        if len(raw) != 2 * half:
            raise SigningFailed(f"the token gave a signature of {len(raw)} bytes, its curve has {2 * half}")
        r, s = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
        return low_s(encode_dss_signature(r, s), order_of(self._curve))


class Pkcs11VaultKey:
    """A vault key in a token: the shared secret of one object comes out, the key never does."""

    def __init__(self, key: TokenKey) -> None:
        self._key = key

    @classmethod
    def load(cls, uri: str, certificate: x509.Certificate) -> Pkcs11VaultKey:
        """From a PKCS#11 URI; the token is opened now, and tried against the certificate. Raises `BadKey`."""
        public = certificate.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise BadKey("a vault certificate must be for an elliptic curve key")
        key = cls(TokenKey(TokenUri.parse(uri)))
        probe = ec.generate_private_key(public.curve)
        try:
            if not hmac.compare_digest(key.shared_secret(probe.public_key()), probe.exchange(ec.ECDH(), public)):
                raise BadKey("the key in the token does not belong to the vault certificate")
        except SigningFailed as error:
            raise BadKey(f"the vault key cannot be used: {error}") from error
        return key

    def shared_secret(self, peer: ec.EllipticCurvePublicKey) -> bytes:
        """ECDH with an object's ephemeral key: the x coordinate. Raises `BadKey` or `SigningFailed`."""
        from pkcs11 import KDF, Attribute, KeyType, Mechanism

        point = peer.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        size = (peer.curve.key_size + 7) // 8
        template = {
            Attribute.TOKEN: False,
            Attribute.SENSITIVE: False,
            Attribute.EXTRACTABLE: True,
            Attribute.VALUE_LEN: size,
        }

        def derive(key: Any, encoded: bytes) -> bytes:
            secret = key.derive_key(
                KeyType.GENERIC_SECRET,
                size * 8,
                mechanism=Mechanism.ECDH1_DERIVE,
                mechanism_param=(KDF.NULL, None, encoded),
                template=template,
            )
            try:
                return bytes(secret[Attribute.VALUE])
            finally:
                secret.destroy()

        try:  # PKCS#11 2.30 wants the raw point; older modules take it only as an OCTET STRING
            return self._key.use(lambda key: derive(key, point))
        except SigningFailed:
            return self._key.use(lambda key: derive(key, der.tlv(der.OCTET_STRING, point)))
