"""Proofs of a password: SCRAM-SHA-256 and MD5; loaded only where the server asks for one."""

from __future__ import annotations

import os
from binascii import a2b_base64, b2a_base64

from tidegate.databases.pgwire import PgError, Unsupported, encode

try:  # `hashlib` and `hmac` themselves take longer to load than all that is done here
    from _hashlib import hmac_digest, pbkdf2_hmac
    from _hashlib import openssl_sha256 as sha256
except ImportError:
    try:
        from hashlib import pbkdf2_hmac, sha256
        from hmac import digest as hmac_digest  # type: ignore[assignment]
    except ImportError:
        pbkdf2_hmac = None  # type: ignore[assignment]

_MAX_ITERATIONS = 5_000_000


class Scram:
    """SCRAM-SHA-256 without channel binding (RFC 5802, 7677)."""

    def __init__(self, password: str) -> None:
        self.verified = False
        self._password = _saslprep(password)
        self._nonce = b2a_base64(os.urandom(18), newline=False)
        self.first = b"n,,n=,r=" + self._nonce
        self._signature = b""

    def answer(self, challenge: bytes) -> bytes:
        """Return the client's final message."""
        if pbkdf2_hmac is None:
            raise Unsupported("SCRAM-SHA-256, in a Python without OpenSSL")
        try:
            fields = dict(part.split(b"=", 1) for part in challenge.split(b","))
            nonce, salt, rounds = fields[b"r"], a2b_base64(fields[b"s"]), int(fields[b"i"])
        except (KeyError, ValueError):
            raise PgError("08P01", "the server's SCRAM message is malformed") from None
        if not nonce.startswith(self._nonce) or nonce == self._nonce or rounds < 1:
            raise PgError("08P01", "the server's SCRAM message is malformed")
        if rounds > _MAX_ITERATIONS:
            raise Unsupported(f"SCRAM with {rounds} iterations")
        salted = pbkdf2_hmac("sha256", self._password, salt, rounds)
        bare = b"c=biws,r=" + nonce
        message = b",".join((self.first[3:], challenge, bare))
        client_key = hmac_digest(salted, b"Client Key", "sha256")
        mask = hmac_digest(sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, mask, strict=True))
        server_key = hmac_digest(salted, b"Server Key", "sha256")
        self._signature = hmac_digest(server_key, message, "sha256")
        return bare + b",p=" + b2a_base64(proof, newline=False)

    def verify(self, final: bytes) -> None:
        """Check the server's own proof."""
        if not self._signature or final != b"v=" + b2a_base64(self._signature, newline=False):
            raise PgError("08P01", "the server did not prove that it knows the password")
        self.verified = True


def _saslprep(password: str) -> bytes:
    """RFC 4013; a password it forbids is used as it stands, as libpq and the server do."""
    raw = encode(password)
    if password.isascii():
        return raw
    import stringprep as tables
    import unicodedata

    mapped = "".join(
        " " if tables.in_table_c12(char) else char
        for char in password
        if not tables.in_table_b1(char)
    )
    text = unicodedata.normalize("NFKC", mapped)
    forbidden = (
        tables.in_table_a1, tables.in_table_c12, tables.in_table_c21_c22, tables.in_table_c3,
        tables.in_table_c4, tables.in_table_c5, tables.in_table_c6, tables.in_table_c7,
        tables.in_table_c8, tables.in_table_c9,
    )  # fmt: skip
    if not text or any(rule(char) for char in text for rule in forbidden):
        return raw
    right_to_left = [tables.in_table_d1(char) for char in text]
    if any(right_to_left):
        mixed = any(tables.in_table_d2(char) for char in text)
        if mixed or not (right_to_left[0] and right_to_left[-1]):
            return raw
    return encode(text)


def md5(user: str, password: str, salt: bytes) -> bytes:
    """Return the answer to an MD5 challenge."""
    try:
        try:
            from _hashlib import openssl_md5 as digest
        except ImportError:
            from hashlib import md5 as digest
        inner = digest(encode(password + user)).hexdigest().encode()
        return b"md5" + digest(inner + salt).hexdigest().encode()
    except ValueError:
        raise Unsupported("MD5 authentication, where OpenSSL forbids MD5") from None
