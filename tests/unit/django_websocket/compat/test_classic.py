import pytest
from geventwebsocket.websocket import WebSocket as GeventWebSocket

from django_websocket.compat.classic import SocketFace
from support.frames import BINARY, CLOSE, PING, PONG, TEXT, close_frame, frame
from support.pair import connection


def test_every_public_name_exists():
    names = {name for name in dir(GeventWebSocket) if not name.startswith("_")}
    with connection() as (websocket, _):
        websocket.handler = type("Handler", (), {"logger": 1, "server": Server})
        assert {name for name in names if not hasattr(websocket, name)} == set()
        websocket.current_app.on_close("told")
        assert websocket.stream.handler is websocket.handler


class Server:
    application = object()


def test_what_the_handshake_said():
    with connection() as (websocket, _):
        assert websocket.path == "/echo/"
        assert websocket.origin == "http://testserver"
        assert websocket.protocol == "chat, superchat"
        assert websocket.version == "13"


def test_frames_by_opcode():
    with connection() as (websocket, client):
        websocket.send_frame("ä", websocket.OPCODE_TEXT)
        websocket.send_frame(b"x", websocket.OPCODE_BINARY)
        websocket.send_frame("?", websocket.OPCODE_PING)
        websocket.handle_ping(None, b"!")
        websocket.handle_pong(None, b"!")
        websocket.raw_write(b"\x81\x01r")
        expected = [(TEXT, "ä".encode()), (BINARY, b"x"), (PING, b"?"), (PONG, b"!"), (TEXT, b"r")]
        assert [client.receive() for _ in range(5)] == expected
        with pytest.raises(ValueError, match="no message to continue"):
            websocket.send_frame(b"x", websocket.OPCODE_CONTINUATION)


@pytest.mark.parametrize(
    ("payload", "code"), [(b"", 1000), (b"\x0f\xa1bye", 4001)], ids=["empty", "code and reason"]
)
def test_a_close_frame(payload, code):
    with connection() as (websocket, client):
        websocket.send_frame(payload, websocket.OPCODE_CLOSE)
        assert websocket.closed
        assert client.receive() == (CLOSE, code.to_bytes(2, "big") + payload[2:])


def test_reading_goes_through_receive():
    with connection() as (websocket, client):
        client.send(frame(TEXT, "x"), close_frame(1000))
        assert websocket.read_message() == "x"
        for read in (websocket.raw_read, websocket.read_frame, websocket.stream.read):
            with pytest.raises(NotImplementedError, match="receive"):
                read()


def test_the_handlers_socket_waits_for_messages():
    with connection() as (websocket, _):
        face = SocketFace(websocket._stream._sock, websocket)
        assert face.fileno() == websocket.fileno()
        assert face.family == websocket._stream._sock.family
