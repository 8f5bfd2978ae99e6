"""A certificate authority of a company's own, for peers that speak TLS on this machine."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


class Authority:
    """Its certificate is in *file*, in PEM."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "authority.pem"
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("Authority of a test")
        builder = _begun(self._name, self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.file.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """For a server that is called by *names*, host names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _begun(_named(names[0]), self._name, key, late=2 * DAY if expired else 0 * DAY)
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        made = builder.add_extension(alternatives, critical=False).sign(self._key, hashes.SHA256())
        file = self._directory / f"{names[0]}{'-expired' * expired}.pem"
        private = serialization.PrivateFormat.PKCS8
        plain = serialization.NoEncryption()
        file.write_bytes(_pem(made) + key.private_bytes(_ENCODING, private, plain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


_ENCODING = serialization.Encoding.PEM


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(_ENCODING)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    late: timedelta = 0 * DAY,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC) - late
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )
