"""The proxy contract: where nginx sends a request, in the shipped form and in the classic one.

Every row is run over a real socket through both. What is said of the classic form is no wish: it
documents what the form does that people have copied for years, and what the shipped one mends.
docs/reference/nginx.md shows the table.
"""

from dataclasses import dataclass

import pytest

from support.raw_http import H2C, HANDSHAKE, SEC, Response, ask, compose, connect, upgrade
from support.stack import ROOT

PAGES, SOCKET, CLOSED = "pages", "socket", "closed"

EMPTY = (("Content-Length", "0"),)
TWO_LENGTHS = (("Content-Length", "5"), ("Transfer-Encoding", "chunked"))
LONG = "x" * 9000


@dataclass(frozen=True)
class Row:
    """``classic`` and ``shipped`` say who answers: the pages' gunicorn, the sockets', nginx, with
    the status where it is not 200 or 101, or nobody: the connection is closed."""

    number: int
    case: str
    classic: str
    shipped: str
    request: bytes


def same(number: int, case: str, answer: str, *request, **options) -> Row:
    return Row(number, case, answer, answer, compose(*request, **options))


def mended(number: int, case: str, classic: str, shipped: str, *request, **options) -> Row:
    return Row(number, case, classic, shipped, compose(*request, **options))


ROWS = [
    same(1, "plain GET", PAGES),
    same(2, "handshake", SOCKET, "/probe/", HANDSHAKE),
    same(3, "`Upgrade: WebSocket`", SOCKET, "/probe/", upgrade("WebSocket")),
    same(3, "`Upgrade: WEBSOCKET`", SOCKET, "/probe/", upgrade("WEBSOCKET")),
    mended(4, "`Upgrade: h2c`", "sockets 426", PAGES, "/probe/", H2C),
    mended(5, "`Upgrade: websocket, h2c`", "sockets 426", PAGES, "/", upgrade("websocket, h2c")),
    mended(5, "`Upgrade: foo/2`", "sockets 426", PAGES, "/probe/", upgrade("foo/2")),
    same(6, "`Upgrade: 0`", PAGES, "/probe/", upgrade("0")),
    same(6, "`Upgrade:`, empty", PAGES, "/probe/", upgrade("")),
    mended(7, "two Upgrade headers, h2c first", "sockets 426", PAGES, "/", (*H2C, *HANDSHAKE)),
    mended(8, "no Connection header", SOCKET, PAGES, "/probe/", HANDSHAKE[1:]),
    mended(8, "`Connection: keep-alive`", SOCKET, PAGES, "/probe/", connect("keep-alive")),
    mended(8, "`Connection: no-upgrade`", SOCKET, PAGES, "/probe/", connect("no-upgrade")),
    same(9, "`Connection: keep-alive, Upgrade`", SOCKET, "/probe/", connect("keep-alive, Upgrade")),
    mended(
        10, "POST handshake", "sockets 403", PAGES, "/probe/", (*HANDSHAKE, *EMPTY), method="POST"
    ),
    mended(
        10, "PUT handshake", "sockets 403", PAGES, "/probe/", (*HANDSHAKE, *EMPTY), method="PUT"
    ),
    mended(10, "HEAD handshake", "sockets 426", PAGES, "/probe/", HANDSHAKE, method="HEAD"),
    mended(11, "HTTP/1.0 handshake", SOCKET, PAGES, "/probe/", HANDSHAKE, version="HTTP/1.0"),
    # nginx does not parse the form of target that CONNECT has (RFC 9112, section 3.2.3).
    same(14, "CONNECT", "nginx 400", "localhost:443", method="CONNECT"),
    same(14, "CONNECT with a path", "nginx 405", method="CONNECT"),
    same(14, "TRACE", "nginx 405", method="TRACE"),
    mended(15, "GET `/__ws__/`", "nginx 500", "nginx 404", "/__ws__/"),
    mended(16, "GET `/__ws__/x`", "sockets 426", "nginx 404", "/__ws__/x"),
    mended(16, "GET `/__ws__//x`", "sockets 426", "nginx 404", "/__ws__//x"),
    mended(17, "GET `/__ws__`", "nginx 301", "nginx 404", "/__ws__"),
    same(23, "a path above the root", "nginx 400", "/../x"),
    same(24, "`%00` in the path", "nginx 400", "/probe/%00"),
    same(24, "`%z` in the path", "nginx 400", "/probe/%z"),
    # Django refuses it, after a gunicorn was busy with it.
    mended(27, "unknown Host", "pages 400", CLOSED, host="example.com"),
    mended(27, "another host in the target", "pages 400", CLOSED, "http://example.com/probe/"),
    mended(
        27, "another host in Host", PAGES, CLOSED, "http://localhost/probe/", host="example.com"
    ),
    same(27, "Host in capitals, with a port", PAGES, host="LOCALHOST:8443"),
    same(28, "two Host headers", "nginx 400", "/probe/", (("Host", "localhost"),)),
    same(
        28, "Content-Length and chunked, both", "nginx 400", "/probe/", TWO_LENGTHS, method="POST"
    ),
    same(
        28,
        "unknown Transfer-Encoding",
        "nginx 501",
        "/",
        (("Transfer-Encoding", "gzip"),),
        method="POST",
    ),
    same(29, "header line over 8k", "nginx 400", "/probe/", (("X-Long", LONG),)),
    same(29, "the same in a handshake", "nginx 400", "/probe/", (*HANDSHAKE, ("X-Long", LONG))),
    same(29, "request line over 8k", "nginx 414", f"/probe/{LONG}"),
    same(29, "the same in a handshake", "nginx 414", f"/probe/{LONG}", HANDSHAKE),
    same(29, "both of nearly 8k", PAGES, f"/probe/{LONG[:7900]}", (("X-Long", LONG[:7900]),)),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number}-{row.case}")
def test_who_answers(form, row):
    name, port = form
    assert answered_by(ask(port, row.request)) == getattr(row, name)


@pytest.mark.parametrize("missing", [name for name, _ in SEC])
def test_an_incomplete_handshake_is_refused_by_the_socket_server(stack, missing):
    headers = [header for header in HANDSHAKE if header[0] != missing]
    response = ask(stack.port, compose("/probe/", headers))
    assert response.status in (400, 426)
    assert not response.made_by_nginx


def test_the_documentation_shows_this_table():
    shown = (ROOT / "docs/reference/nginx.md").read_text()
    assert shown.partition("<!-- who answers -->")[2].partition("<!--")[0].strip() == as_markdown()


def as_markdown() -> str:
    """The rows, those that are mended in bold."""
    lines = ["| # | request | classic form | shipped |", "|---|---|---|---|"]
    for row in ROWS:
        shipped = row.shipped if row.shipped == row.classic else f"**{row.shipped}**"
        lines.append(f"| {row.number} | {row.case} | {row.classic} | {shipped} |")
    return "\n".join(lines)


def answered_by(response: Response | None) -> str:
    if response is None:
        return CLOSED
    if response.status == 101:
        return SOCKET
    if response.made_by_nginx:
        return f"nginx {response.status}"
    server = response.headers["X-Server"] or ("sockets" if response.headers["Upgrade"] else "?")
    return server if response.status == 200 else f"{server} {response.status}"
