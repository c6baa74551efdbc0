"""Signing the picture itself: ONVIF Media Signing of an H.264 stream, group of pictures by group of pictures.

Source: ONVIF Media Signing Specification, tried against the reference framework's validator. The rules:

1. Only slices are hashed (NAL types 1 and 5), from the NAL header to the last non-zero byte, as stored.
2. The first slice of an IDR is the anchor: its hash stands for itself. Every other slice counts as
   SHA-256(anchor | SHA-256(slice)).
3. The group hash is the SHA-256 of all these hashes in order; the linked hash is the first one of the group before.
4. A message describes a *finished* group: it stands behind the group's last slice (`end_group`, `finish`), or, where
   the end of the group was not known in time, in the next IDR's access unit, before its slices.
5. A group with more slices than the hash list holds is cut at a picture ("partial"); the anchor stays.
6. A slow key need not sign each group: a message without a signature stands behind the slices of the *next* group's
   IDR, and its SHA-256 is one of that group's hashes. So one signature covers a run of groups.

Parameter sets and foreign SEI messages are not covered, and may be repeated or dropped by a remux.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from evidence.errors import MediaError
from evidence.media_sei import (
    HASH_BYTES,
    MAX_ARBITRARY_BYTES,
    MAX_HASHES,
    GopClaim,
    VendorInfo,
    is_message,
    signature_room,
    write_message,
    write_unsigned,
)
from evidence.nal import IDR_SLICE, MAX_NALS, Buffer, is_first_slice, is_slice, nal_type

__all__ = ["MAX_ARBITRARY_BYTES", "MediaSigner", "VendorInfo"]

MAX_CHAIN_CERTIFICATES = 4


class MediaSigner:
    """Signs one recording, from its first IDR on. Not thread-safe; one instance for each recording.

    `sign` takes a SHA-256 digest (32 bytes) and returns an ECDSA signature in DER. `chain_pem` is the signer's
    chain, leaf first, without the root, 1 to 4 certificates; it stands in every message, so that no single loss makes
    the rest unverifiable.
    """

    def __init__(self, sign: Callable[[bytes], bytes], chain_pem: bytes, vendor: VendorInfo) -> None:
        count = chain_pem.count(b"-----BEGIN CERTIFICATE-----")
        if not 1 <= count <= MAX_CHAIN_CERTIFICATES:
            raise MediaError(f"a signer's chain of {count} certificates: 1 to {MAX_CHAIN_CERTIFICATES} are allowed")
        self._sign = sign
        self._chain_pem = chain_pem
        self._room = signature_room(chain_pem)
        self._vendor = vendor
        self._anchor: bytes | None = None
        self._hashes: list[bytes] = []
        self._first_hash_before = bytes(HASH_BYTES)
        self._counter = 0
        self._start_utc_ns = 0
        self._last_utc_ns = 0
        self._arbitrary = b""
        self._finished = False

    def process(
        self, nals: Sequence[Buffer], keyframe: bool, utc_ns: int, arbitrary: bytes = b"", *, sign: bool = True
    ) -> list[Buffer]:
        """Take one access unit and return it, with a message inserted where a group has just ended.

        `utc_ns` is the camera's UTC at capture. `arbitrary` (at most MAX_ARBITRARY_BYTES) is signed with the group
        that this access unit belongs to; the last access unit's counts. With `sign` false the message has no signature,
        and the next signed one covers it (rule 6); a part that was cut off in mid-group is left unsigned instead.

        Raises MediaError when the stream does not begin with an IDR, `keyframe` is wrong, there is no slice, or it is
        signed already; errors of `sign` pass. After any error nothing has been taken, and the same access unit may be
        offered again.
        """
        if self._finished:
            raise MediaError("this recording's media signature is finished")
        slices = [nal for nal in nals if is_slice(nal)]
        if not slices or not is_first_slice(slices[0]):
            raise MediaError("an access unit must begin with a picture's first slice to be signed")
        if len(nals) > MAX_NALS or len(slices) > MAX_HASHES:
            raise MediaError(f"an access unit of {len(slices)} slices: at most {MAX_HASHES} can be signed")
        if any((nal_type(nal) == IDR_SLICE) != keyframe for nal in slices):
            raise MediaError("an access unit whose slices and key frame mark do not agree")
        if self._anchor is None and not keyframe:
            raise MediaError("a signed recording must begin with a key frame")
        if any(is_message(nal) for nal in nals if nal_type(nal) == 6):
            raise MediaError("a stream that is signed already")
        if len(arbitrary) > MAX_ARBITRARY_BYTES:
            raise MediaError(f"{len(arbitrary)} bytes of signed data: at most {MAX_ARBITRARY_BYTES}")
        out: list[Buffer] = list(nals)
        full = len(self._hashes) + len(slices) > MAX_HASHES
        link: bytes | None = None
        if self._hashes and (keyframe or full):
            positions = [index for index, nal in enumerate(out) if is_slice(nal)]
            if sign:
                out.insert(positions[0], self._message(partial=not keyframe, end_utc_ns=utc_ns))
            elif keyframe:
                message, link = write_unsigned(self._claim(partial=False, end_utc_ns=utc_ns))
                self._counter += 1
                out.insert(positions[-1] + 1, message)
            if sign or link is not None:
                self._first_hash_before = self._hashes[0]
            self._hashes = []
        if not self._hashes:
            self._start_utc_ns = utc_ns
        self._add(slices, keyframe)
        if link is not None:
            self._hashes.append(link)
        self._last_utc_ns = utc_ns
        self._arbitrary = arbitrary
        return out

    def end_group(self) -> bytes:
        """The message of the group so far, to be appended after the last slice of its last access unit.

        For whoever knows that the next access unit is an IDR: then a group is proven as soon as it is on the card, and
        a recording that a crash cuts off has no unsigned tail. Raises MediaError when there is nothing to sign; errors
        of `sign` pass, and then the group's message is still owed: the next `process` makes it.
        """
        if self._finished or not self._hashes:
            raise MediaError("there is nothing left to sign")
        message = self._message(partial=False, end_utc_ns=self._last_utc_ns)
        self._first_hash_before = self._hashes[0]
        self._hashes = []
        return message

    def finish(self) -> bytes:
        """The recording's last message, placed like `end_group`'s.

        Raises MediaError when nothing was processed or it was finished before; errors of `sign` pass.
        """
        message = self.end_group()
        self._finished = True
        return message

    def _add(self, slices: Sequence[Buffer], keyframe: bool) -> None:
        for index, nal in enumerate(slices):
            digest = hashlib.sha256(nal).digest()
            if keyframe and index == 0:
                self._anchor = digest
                self._hashes.append(digest)
            else:
                assert self._anchor is not None
                self._hashes.append(hashlib.sha256(self._anchor + digest).digest())

    def _claim(self, partial: bool, end_utc_ns: int) -> GopClaim:
        return GopClaim(
            counter=self._counter + 1,
            partial=partial,
            start_utc_ns=self._start_utc_ns,
            end_utc_ns=end_utc_ns,
            hashed_nals=len(self._hashes),
            gop_hash=hashlib.sha256(b"".join(self._hashes)).digest(),
            linked_hash=self._first_hash_before,
            hashes=tuple(self._hashes),
            arbitrary=self._arbitrary,
        )

    def _message(self, partial: bool, end_utc_ns: int) -> bytes:
        claim = self._claim(partial, end_utc_ns)
        message = write_message(claim, self._chain_pem, self._vendor, self._sign, self._room)
        self._counter += 1
        return message
