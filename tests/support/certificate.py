"""Certificates that nobody else has signed."""

import subprocess
from pathlib import Path


def self_signed(certificate: Path, key: Path, name: str, address: str | None = None) -> None:
    """Make both files. ``name`` is the certificate's subject; it also holds for ``address``."""
    extension = ("-addext", f"subjectAltName=IP:{address}") if address else ()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", *extension, "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
