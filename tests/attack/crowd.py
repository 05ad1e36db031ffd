"""One address that opens sockets, or asks for pages, as fast as it can, in a process of its own.

python -m attack.crowd PORT KIND SECONDS

KIND: handshakes, dropped, pages, many echoes, many chats
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


#: Texts of one letter, and what the chat answers.
FLOODS = {
    "many echoes": ("/echo/", b"x"),
    "many chats": ("/chat/crowd/", b'{"type":"enter","data":{"name":"x"}}'),
}
FLOODING = 100


def main(port: str, kind: str, seconds: str) -> None:
    if kind in FLOODS:
        flood(int(port), *FLOODS[kind], float(seconds))
    else:
        ask(int(port), kind, time.monotonic() + float(seconds))


def connect(port: int) -> socket.socket:
    sock = socket.socket()
    sock.bind((ADDRESS, 0))
    sock.settimeout(60)
    sock.connect(("127.0.0.1", port))
    return sock


def flood(port: int, path: str, text: bytes, seconds: float) -> None:
    """Send without a pause, on many sockets."""
    size = bytes([0x81, 0x80 | len(text)])
    data = memoryview((size + bytes(4) + text) * 10_000)
    left = {}
    for _ in range(FLOODING):
        sock = connect(port)
        sock.sendall(HANDSHAKE.replace(b"/chat/crowd/", path.encode()))
        sock.recv(65536)
        sock.setblocking(False)
        left[sock] = data
    print("flooding", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for sock, rest in left.items():
            with contextlib.suppress(OSError):
                sock.recv(65536)
            with contextlib.suppress(OSError):
                left[sock] = rest[sock.send(rest) :] or data


def ask(port: int, kind: str, end: float) -> None:
    """Come and go."""
    request = PAGE if kind == "pages" else HANDSHAKE
    print("flooding", flush=True)
    while time.monotonic() < end:
        sockets = [connect(port) for _ in range(AT_ONCE)]
        for sock in sockets:
            sock.sendall(request)
        for sock in sockets:
            if kind != "dropped":
                with contextlib.suppress(OSError):
                    sock.recv(65536)
            sock.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
