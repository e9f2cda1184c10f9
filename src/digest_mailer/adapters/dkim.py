"""DKIM keys, and the signer that puts signatures in front of messages.

A message gets an RSA signature, which every receiver can check, and an ed25519 one only beside it, because many
cannot check those yet (RFC 8463 section 1). Both are deterministic, so the same message gets the same octets on every
attempt. `core.dkim` says what is signed; here it is only computed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from digest_mailer.core.dkim import Algorithm, Record, Stamp, finished, read, record, to_sign, unsigned
from digest_mailer.core.errors import ConfigError
from digest_mailer.core.message import Message
from digest_mailer.core.octets import Octets

NEW_RSA_BITS = 2048  # RFC 8301 section 3.2: signers should use this at least
LEAST_RSA_BITS = 1024  # RFC 8301 section 3.2: receivers must not count shorter ones
_EXPONENT = 65537

Private = RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A private key under the selector that its public half is published by."""

    selector: str
    private: Private = field(repr=False)

    @property
    def algorithm(self) -> Algorithm:
        """The a= of its signatures."""
        return Algorithm.RSA if isinstance(self.private, RSAPrivateKey) else Algorithm.ED25519

    @property
    def bits(self) -> int:
        """How long it is."""
        return self.private.key_size if isinstance(self.private, RSAPrivateKey) else 256

    def sign(self, data: bytes) -> bytes:
        """The signature of what `core.dkim.to_sign` gives."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, PKCS1v15(), SHA256())  # RFC 6376 section 3.3.2
        return self.private.sign(hashlib.sha256(data).digest())  # RFC 8463 section 3: the hash is what is signed

    def record(self, domain: str) -> Record:
        """What the DNS of the domain must say."""
        return record(self.selector, domain, self.algorithm, self._public())

    def pem(self) -> bytes:
        """The private key as a file."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def _public(self) -> bytes:
        public = self.private.public_key()
        if isinstance(self.private, RSAPrivateKey):
            return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # RFC 6376 errata 3017
        return public.public_bytes(Encoding.Raw, PublicFormat.Raw)  # RFC 8463 section 4.2


def make_key(selector: str, algorithm: Algorithm) -> DkimKey:
    """A new key."""
    if algorithm is Algorithm.RSA:
        return DkimKey(selector, generate_private_key(_EXPONENT, NEW_RSA_BITS))
    return DkimKey(selector, Ed25519PrivateKey.generate())


def load_key(selector: str, pem: bytes, where: str) -> DkimKey:
    """The key in a file; `where` names the file. Raises ConfigError for one that must not sign."""
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:  # not a key; one with a password; of another time
        raise ConfigError(f"{where} is not a private key in PEM form without a password", KEY_HINT) from problem
    if isinstance(private, RSAPrivateKey) and private.key_size < LEAST_RSA_BITS:
        what = f"{where} has {private.key_size} bits; receivers ignore RSA keys of less than {LEAST_RSA_BITS}"
        raise ConfigError(what, KEY_HINT)
    if not isinstance(private, Private):
        raise ConfigError(f"{where} is neither an RSA nor an ed25519 key", KEY_HINT)
    return DkimKey(selector, private)


class DkimSigner:
    """Signs for one domain. It holds nothing that changes, so threads may share it."""

    def __init__(self, domain: str, keys: Sequence[DkimKey]) -> None:
        """Raises ConfigError without an RSA key: receivers that know only RSA would see an unsigned message."""
        if not any(key.algorithm is Algorithm.RSA for key in keys):
            raise ConfigError("there is no RSA key to sign with", KEY_HINT)
        self._domain = domain
        self._keys = sorted(keys, key=lambda key: key.algorithm is not Algorithm.RSA)  # what all can check on top

    def sign(self, message: Message, at: datetime) -> Message:
        """The same message with its signatures in front; everything behind them stays octet for octet."""
        parts = read(_pieces(message.octets))
        lines = []
        for key in self._keys:
            header = unsigned(parts, Stamp(key.algorithm, self._domain, key.selector, at))
            lines.append(finished(header, key.sign(to_sign(parts, header))))
        return message._replace(octets=message.octets.behind(b"".join(lines)))


def _pieces(octets: Octets) -> list[bytes]:
    """What the octets are made of, in order; the large ones are the same objects in all messages of an edition."""
    pieces = list(octets.form.pieces)
    for place, hole, part in octets.form.holes:
        pieces[place] = octets.values[hole][part]
    return pieces


KEY_HINT = "put the right file back, or make the next pair with: digest-mailer keys dkim rotate"
