"""Tokens in GitHub's shape: prefix, base62 entropy, base62 CRC-32.

Knows nothing of where they are stored.

The checksum refuses a typo without a look-up, and lets secret scanners recognise a leaked token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
CHECKSUM_LENGTH = 6
FINE_GRAINED = "github_pat_"
ENTROPY = {"ghp_": 30, "gho_": 30, "ghu_": 30, "ghs_": 30, "ghr_": 70}
"""Random characters after each prefix; a fine-grained token has 22, an underscore and 53."""
FINE_GRAINED_PARTS = (22, 53)


def mint(prefix: str) -> str:
    """A new token with *prefix*; KeyError for one that GitHub does not have."""
    if prefix == FINE_GRAINED:
        public, secret = (_random(length) for length in FINE_GRAINED_PARTS)
        return f"{prefix}{public}_{secret}{checksum(public + secret)}"
    body = _random(ENTROPY[prefix])
    return prefix + body + checksum(body)


def wellformed(token: str) -> bool:
    """Whether *token* has the length, the alphabet and the checksum of one that `mint` made."""
    if token.startswith(FINE_GRAINED):
        public, _, rest = token.removeprefix(FINE_GRAINED).partition("_")
        lengths = (len(public), len(rest) - CHECKSUM_LENGTH)
        return lengths == FINE_GRAINED_PARTS and _checks(public + rest)
    prefix, body = token[:4], token[4:]
    return ENTROPY.get(prefix) == len(body) - CHECKSUM_LENGTH and _checks(body)


def digest(token: str) -> bytes:
    """What is stored of a token. Its entropy (178 bits and more) needs no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def checksum(body: str) -> str:
    number = zlib.crc32(body.encode("ascii"))
    digits = ""
    while number:
        number, remainder = divmod(number, len(ALPHABET))
        digits = ALPHABET[remainder] + digits
    return digits.rjust(CHECKSUM_LENGTH, "0")


def _checks(body: str) -> bool:
    if not (body.isascii() and body.isalnum()):
        return False
    return hmac.compare_digest(
        checksum(body[:-CHECKSUM_LENGTH]).encode(), body[-CHECKSUM_LENGTH:].encode()
    )


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
