"""Certificates that nobody else has signed."""

import subprocess
from pathlib import Path


def self_signed(certificate: Path, key: Path, name: str, address: str | None = None) -> None:
    """Make both files. ``name`` is the certificate's subject; it also holds for ``address``."""
    names = f"DNS:{name},IP:{address}" if address else f"DNS:{name}"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
         # It signs itself. Python 3.13 verifies strictly (RFC 5280): that needs a key usage.
         "-addext", "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
