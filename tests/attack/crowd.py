"""One address that opens sockets, or asks for pages, as fast as it can, in a process of its own.

python -m attack.crowd PORT handshakes|dropped|pages SECONDS
"""

import contextlib
import socket
import sys
import time

ADDRESS = "127.0.0.66"
AT_ONCE = 50

HANDSHAKE = (
    b"GET /chat/crowd/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PAGE = b"GET /chat/crowd/ HTTP/1.1\r\nHost: localhost\r\n\r\n"


def main(port: str, kind: str, seconds: str) -> None:
    request = PAGE if kind == "pages" else HANDSHAKE
    print("flooding", flush=True)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        sockets = []
        for _ in range(AT_ONCE):
            sock = socket.socket()
            sock.bind((ADDRESS, 0))
            sock.settimeout(float(seconds))
            sock.connect(("127.0.0.1", int(port)))
            sock.sendall(request)
            sockets.append(sock)
        for sock in sockets:
            if kind != "dropped":
                with contextlib.suppress(OSError):
                    sock.recv(65536)
            sock.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
