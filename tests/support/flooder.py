"""A client that sends bursts of small frames back to back, in a process of its own.

    python flooder.py PORT PATH SECONDS KIND [--deaf]

``KIND`` is a text to send in each frame, or ``ping``, ``fragment``, ``empty``. ``--deaf``: it reads
nothing. Prints how many bursts it has sent.
"""

import selectors
import socket
import struct
import sys
import time

BURST = 512 * 1024  # bytes


def frame(first: int, payload: bytes) -> bytes:
    """A masked frame (RFC 6455 section 5.2), whose mask is zero."""
    return struct.pack("!BB", first, 0x80 | len(payload)) + bytes(4) + payload


def burst(kind: str) -> bytes:
    one = {
        "ping": frame(0x89, b""),
        "fragment": frame(0x00, b"x"),
        "empty": frame(0x81, b""),
    }.get(kind) or frame(0x81, kind.encode())
    return one * (BURST // len(one))


def main(port: str, path: str, seconds: str, kind: str, *flags: str) -> None:
    sock = socket.create_connection(("localhost", int(port)))
    sock.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(4096)
        if not piece:
            raise SystemExit(f"refused: {head!r}")
        head += piece
    if b" 101 " not in head.split(b"\r\n")[0]:
        raise SystemExit(f"refused: {head!r}")
    data = burst(kind)
    if kind == "fragment":
        sock.sendall(frame(0x01, b"x"))
    sock.setblocking(False)
    selector = selectors.DefaultSelector()
    events = selectors.EVENT_WRITE | (0 if "--deaf" in flags else selectors.EVENT_READ)
    selector.register(sock, events)
    view, sent, bursts = memoryview(data), 0, 0
    end = time.monotonic() + float(seconds)
    print("flooding", flush=True)
    while (left := end - time.monotonic()) > 0:
        for _, ready in selector.select(left):
            if ready & selectors.EVENT_READ and not sock.recv(1 << 20):
                raise SystemExit("closed by the server")
            if ready & selectors.EVENT_WRITE:
                try:
                    sent += sock.send(view[sent:])
                except BlockingIOError:
                    continue
                if sent == len(data):
                    sent, bursts = 0, bursts + 1
    print(bursts)


if __name__ == "__main__":
    main(*sys.argv[1:])
