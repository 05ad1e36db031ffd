"""deploy/bin/is-ready asks a gunicorn at the address that it is bound to."""

import os
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from support.server import PATIENCE, ROOT


class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        """Say nothing."""


@pytest.fixture(scope="module")
def port():
    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def ask(address, path="/readyz"):
    return subprocess.run(
        [ROOT / "deploy/bin/is-ready", address],
        env=os.environ | {"APP_READINESS_PATH": path, "APP_HOST": "localhost"},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip


@pytest.mark.parametrize("address", ["127.0.0.1:{}", ":{}", "localhost:{}", "0.0.0.0:{}"])
def test_every_form_of_an_address_that_gunicorn_takes(port, address):
    answer = ask(address.format(port))
    assert answer.returncode == 0, answer.stderr


def test_it_says_what_is_wrong(port):
    assert "404" in ask(f":{port}", "/nowhere").stderr
    assert ask("unix:/nowhere.sock").returncode != 0
