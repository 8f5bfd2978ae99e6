"""The key of this server: opens what clients seal, and encrypts what is stored.

The key is a file of the data directory, made when it is first needed. Every process that serves
the API or works on tasks needs the same one, a worker with a disk of its own a copy of it; without
it what is stored cannot be read again.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nacl.encoding import RawEncoder
from nacl.exceptions import CryptoError
from nacl.hash import blake2b
from nacl.public import PrivateKey, SealedBox
from nacl.secret import SecretBox

from journeyman.domain.errors import AppError, Code, invalid

KEY_BYTES = 32


@dataclass(frozen=True)
class PublicKey:
    key_id: str
    key: str
    """Base64, as clients want it."""


class Vault:
    def __init__(self, path: Path, *, make: bool = True) -> None:
        self._path = path
        self._may_make = make

    @cached_property
    def public_key(self) -> PublicKey:
        public = bytes(self._private.public_key)
        digest = blake2b(public, digest_size=8, encoder=RawEncoder)
        return PublicKey(str(int.from_bytes(digest, "big") >> 1), base64.b64encode(public).decode())

    def open_sealed(self, text: str, key_id: str) -> bytes:
        """What a client sealed with the public key; INVALID names the field."""
        if key_id != self.public_key.key_id:
            message = f"key_id {key_id[:100]!r} is not this server's; get the public key again."
            raise invalid("key_id", message, "invalid")
        try:
            return bytes(SealedBox(self._private).decrypt(base64.b64decode(text, validate=True)))
        except (binascii.Error, ValueError, CryptoError):
            message = "encrypted_value is not a sealed box of the public key, in Base64."
            raise invalid("encrypted_value", message, "invalid") from None

    def encrypt(self, value: bytes) -> bytes:
        return bytes(self._box.encrypt(value))

    def decrypt(self, stored: bytes) -> bytes:
        """UNAVAILABLE when it was stored under another key."""
        try:
            return bytes(self._box.decrypt(stored))
        except CryptoError as error:
            raise AppError(
                Code.UNAVAILABLE,
                f"The stored secrets were encrypted with another key than {self._path.name}; "
                "put back the data directory's own.",
            ) from error

    @cached_property
    def _private(self) -> PrivateKey:
        return PrivateKey(self._derived(b"sealed"))

    @cached_property
    def _box(self) -> SecretBox:
        return SecretBox(self._derived(b"stored"))

    def _derived(self, purpose: bytes) -> bytes:
        """One key for each purpose."""
        return blake2b(
            b"", digest_size=KEY_BYTES, key=self._key, person=purpose, encoder=RawEncoder
        )

    @cached_property
    def _key(self) -> bytes:
        if not self._path.exists():
            self._make_or_refuse()
        key = self._path.read_bytes()
        if len(key) != KEY_BYTES:
            raise AppError(
                Code.UNAVAILABLE,
                f"{self._path.name} in the data directory is not a key: it has {len(key)} bytes.",
            )
        return key

    def _make_or_refuse(self) -> None:
        if not self._may_make:
            raise AppError(
                Code.UNAVAILABLE,
                f"{self._path.name} is missing on this machine; copy it from the server's data "
                f"directory to {self._path.parent}.",
            )
        self._make()

    def _make(self) -> None:
        """Complete or not at all; of two processes that make it at once, one wins."""
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, os.urandom(KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(draft, self._path)
        except FileExistsError:
            pass  # the other one's is as good
        finally:
            draft.unlink()
