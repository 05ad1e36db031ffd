import io

import pytest

from django_websocket.server.requesthead import HeadTooLarge, read_head


def head(text, max_fields=10, max_field_size=100):
    stream = io.BytesIO(text.encode("latin-1"))
    return read_head(stream, max_fields, max_field_size), stream


def test_fields():
    fields, stream = head("Host: a\r\nX-Name:\tb c \r\nx-name: \xe9\r\n\r\nbody")
    assert fields.get("HOST") == "a"
    assert fields.getheader("x-name") == "b c,\xe9"
    assert fields.get("missing", "-") == "-"
    assert fields.items() == [("Host", "a"), ("X-Name", "b c"), ("x-name", "\xe9")]
    assert stream.read() == b"body"


def test_content_type_and_length_are_no_http_fields():
    fields, _ = head("Content-Type: text/plain\r\nContent-Length: 3\r\nX-A: b\r\nX_A: c\r\n\r\n")
    assert fields.typeheader == "text/plain"
    assert list(fields.environ_items()) == [("HTTP_X_A", "b")]
    del fields["content-length"]
    assert fields.get("Content-Length") is None


def test_bare_line_feeds_end_lines_too():
    assert head("Host: a\n\n")[0].get("host") == "a"


@pytest.mark.parametrize(
    "text",
    [
        "no colon\r\n\r\n",
        ": no name\r\n\r\n",
        "space : before the colon\r\n\r\n",
        "A: b\r\n folded\r\n\r\n",
        "A: b\x00\r\n\r\n",
        "A: b\rc\r\n\r\n",
        "A: b\r\n",
        "A: b",
    ],
)
def test_what_is_no_head(text):
    with pytest.raises(ValueError, match=r"malformed|cut short"):
        head(text)


def test_limits():
    assert head("A: " + "b" * 97 + "\r\n\r\n")
    with pytest.raises(HeadTooLarge, match="longer than 100 bytes"):
        head("A: " + "b" * 98 + "\r\n\r\n")
    assert head("A: b\r\n" * 10 + "\r\n")
    with pytest.raises(HeadTooLarge, match="more than 10 headers"):
        head("A: b\r\n" * 11 + "\r\n")
    assert head("A: " + "b" * 10_000 + "\r\n\r\n", max_field_size=0)
