"""Just enough HTTP/2 (RFC 9113) to send one request that no client library would send."""

from support.raw_http import Connection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4
# RFC 7541, appendix A: the statuses of the static table, as the first byte of a header block.
STATUSES = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}


def request(connection: Connection, *headers: tuple[str, str]) -> tuple[int, bytes]:
    """Status and body of the answer to a request without a body, on stream 1."""
    block = b"".join(_literal(name, value) for name, value in headers)
    opening = _frame(HEADERS, END_STREAM | END_HEADERS, 1, block)
    connection.send(PREFACE + _frame(SETTINGS) + opening)
    status, body = 0, b""
    while True:
        kind, flags, stream, payload = _receive(connection)
        if stream != 1:
            continue
        if kind == HEADERS:
            status = STATUSES[payload[0]]
        elif kind == DATA:
            body += payload
        elif kind == RST_STREAM:
            raise ConnectionResetError(f"stream reset, error {int.from_bytes(payload)}")
        if flags & END_STREAM:
            return status, body


def _literal(name: str, value: str) -> bytes:
    """A header field without indexing and with a new name (RFC 7541, section 6.2.2)."""
    assert max(len(name), len(value)) < 127
    return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3) + bytes([kind, flags])
    return head + stream.to_bytes(4) + payload


def _receive(connection: Connection) -> tuple[int, int, int, bytes]:
    head = connection.read(9)
    payload = connection.read(int.from_bytes(head[:3]))
    return head[3], head[4], int.from_bytes(head[5:]), payload
