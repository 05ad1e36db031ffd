import pytest

from django_websocket.rfc6455.handshake import BadHandshake, Handshake, is_handshake, parse

# The example of RFC 6455 section 1.3.
GOOD = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "server.example.com",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
    "HTTP_SEC_WEBSOCKET_PROTOCOL": "chat, superchat",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}


def test_the_example_of_the_rfc():
    handshake = parse(GOOD)
    assert handshake.subprotocols == ("chat", "superchat")
    assert handshake.response("chat").decode() == (
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        "Sec-WebSocket-Protocol: chat\r\n"
        "\r\n"
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"HTTP_UPGRADE": "WebSocket"}, True),
        ({"HTTP_CONNECTION": ""}, True),
        ({"HTTP_UPGRADE": "h2c"}, False),
        ({"HTTP_UPGRADE": "websocket, h2c"}, False),
        ({"HTTP_UPGRADE": ""}, False),
        ({"REQUEST_METHOD": "POST"}, False),
        ({"SERVER_PROTOCOL": "HTTP/1.0"}, False),
    ],
)
def test_what_means_to_be_a_handshake(change, expected):
    assert is_handshake(GOOD | change) is expected


@pytest.mark.parametrize(
    "change",
    [
        {"HTTP_CONNECTION": "keep-alive, Upgrade"},
        {"HTTP_CONNECTION": "UPGRADE"},
        {"HTTP_HOST": "[::1]:8000"},
        {"HTTP_HOST": "localhost:8000"},
        {"CONTENT_LENGTH": "0"},
        {"HTTP_SEC_WEBSOCKET_EXTENSIONS": 'x; y=1, permessage-deflate; z="q"'},
    ],
)
def test_what_the_rfc_allows(change):
    assert isinstance(parse(GOOD | change), Handshake)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"HTTP_CONNECTION": "keep-alive"}, "lacks the token"),
        ({"HTTP_CONNECTION": "notupgrade"}, "lacks the token"),
        ({"HTTP_CONNECTION": ""}, "Connection"),
        ({"HTTP_CONNECTION": "Upgrade;"}, "Connection"),
        ({"HTTP_HOST": ""}, "Host"),
        ({"HTTP_HOST": "a,b"}, "Host"),
        ({"HTTP_HOST": "a b"}, "Host"),
        ({"HTTP_HOST": "user@host"}, "Host"),
        ({"HTTP_SEC_WEBSOCKET_KEY": ""}, "Key"),
        ({"HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ"}, "Key"),
        ({"HTTP_SEC_WEBSOCKET_KEY": "c2hvcnQ="}, "Key"),
        ({"HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==,dGhlIHNhbXBsZSBub25jZQ=="}, "Key"),
        ({"HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSB\xe9b25jZQ=="}, "Key"),
        ({"HTTP_SEC_WEBSOCKET_PROTOCOL": "chat chat"}, "Protocol"),
        ({"HTTP_SEC_WEBSOCKET_PROTOCOL": "chat, chat"}, "twice"),
        ({"HTTP_SEC_WEBSOCKET_PROTOCOL": ""}, "Protocol"),
        ({"HTTP_SEC_WEBSOCKET_EXTENSIONS": "x; ="}, "Extensions"),
        ({"CONTENT_LENGTH": "5"}, "body"),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, "body"),
    ],
)
def test_what_the_rfc_forbids(change, sentence):
    with pytest.raises(BadHandshake, match=sentence) as refused:
        parse(GOOD | change)
    assert refused.value.status == "400 Bad Request"


@pytest.mark.parametrize("version", ["", "8", "013", "13, 8"])
def test_another_version_is_told_ours(version):
    with pytest.raises(BadHandshake) as refused:
        parse(GOOD | {"HTTP_SEC_WEBSOCKET_VERSION": version})
    assert refused.value.status.startswith("426 ")
    assert ("Sec-WebSocket-Version", "13") in refused.value.headers


def test_a_subprotocol_is_matched_exactly():
    handshake = parse(GOOD)
    for wrong in ("super", "Chat", "chat, superchat"):
        with pytest.raises(ValueError, match="offers chat, superchat"):
            handshake.response(wrong)


def test_more_headers():
    response = parse(GOOD).response(None, "permessage-deflate", [("Set-Cookie", "a=b; Path=/")])
    assert b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" in response
    assert b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n" in response


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nSet-Cookie: b"),
        ("X: y\r\n", "z"),
        ("X", "\u20ac"),
        ("Connection", "close"),
        ("Sec-WebSocket-Accept", "mine"),
    ],
)
def test_headers_that_would_break_the_handshake(name, value):
    with pytest.raises(ValueError, match="header"):
        parse(GOOD).response(headers=[(name, value)])
