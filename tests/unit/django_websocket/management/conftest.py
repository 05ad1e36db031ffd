import pytest

from support.certificate import self_signed


@pytest.fixture(scope="session")
def worker(serve_raw, tmp_path_factory):
    """A worker that ends TLS itself; its certificate is for ``localhost``, for two days."""
    folder = tmp_path_factory.mktemp("hops")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    self_signed(certificate, key, "localhost")
    with serve_raw("--certfile", str(certificate), "--keyfile", str(key)) as server:
        server.certificate = certificate
        yield server


@pytest.fixture
def trusted(worker, monkeypatch):
    """The address of the worker, whose certificate counts as known."""
    monkeypatch.setenv("SSL_CERT_FILE", str(worker.certificate))
    return f"wss://localhost:{worker.address[1]}"
