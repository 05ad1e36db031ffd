"""nginx on a host, as visitors see it: over TLS, whoever has signed the certificate."""

import contextlib
import http.client
import socket
import ssl

from support.server import PATIENCE

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Front:
    def __init__(self, host):
        self.host = host
        self.ssh = host.ssh

    def get(self, name: str, path: str = "/", *, port: int = 443, headers: dict | None = None):
        """Status, text and headers of what a name is answered with."""
        client = http.client.HTTPConnection(name, timeout=PATIENCE)
        with contextlib.closing(client):
            client.sock = self.tls(name) if port == 443 else self._connect(port)
            client.request("GET", path, headers=headers or {})
            answer = client.getresponse()
            return answer.status, answer.read().decode(), answer.headers

    def tls(self, name: str | None, *protocols: str) -> ssl.SSLSocket:
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        trust.set_alpn_protocols(protocols or ["http/1.1"])
        return trust.wrap_socket(self._connect(443), server_hostname=name)

    def certificate(self, name: str | None) -> bytes:
        """The one that is shown to who asks for the name, or for none."""
        with self.tls(name) as tls:
            return tls.getpeercert(binary_form=True)

    def _connect(self, port: int) -> socket.socket:
        return socket.create_connection((self.host.address, port), PATIENCE)
