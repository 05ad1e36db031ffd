"""HTTP messages that mean one thing to nginx, and should mean another to a gunicorn."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from support.nginx import Nginx
from support.raw_http import (
    H2C,
    HANDSHAKE,
    SEC,
    Connection,
    ask,
    compose,
    get,
    page_saw,
    socket_saw,
    upgrade,
)
from support.stack import Stack

from .model import attack

#: What an attacker wants a gunicorn to read, though nginx refuses it.
TARGET = "/probe/announce/?channel=smuggled"
RULE = "location ~ ^(?:/__ws__)?/probe/announce/ { deny all; }"
SMUGGLED = compose(TARGET, (("Content-Length", "1"),), method="POST", body=b"x")
CHUNKED = b"0\r\n\r\n" + SMUGGLED
SIZE = str(len(SMUGGLED))

LENGTHS = [
    (("Content-Length", "4"), ("Transfer-Encoding", "chunked")),
    (("Transfer-Encoding", "chunked"), ("Content-Length", "4")),
    (("Content-Length", "0"), ("Content-Length", SIZE)),
    (("Content-Length", f"0, {SIZE}"),),
    (("Content-Length", f"+{SIZE}"),),
    (("Content-Length", "0"), ("Transfer_Encoding", "chunked")),
    (("Transfer-Encoding", "xchunked"), ("Content-Length", "0")),
    (("Transfer-Encoding", "\x0bchunked"), ("Content-Length", "0")),
    (("Transfer-Encoding", "chunked, identity"),),
    (("Transfer-Encoding", "identity, chunked"),),
    (("Transfer-Encoding ", "chunked"),),
    (("X", "y\nTransfer-Encoding: chunked"),),
    (("X", "y\rTransfer-Encoding: chunked"),),
]
UPGRADES = [
    HANDSHAKE,
    (*HANDSHAKE, ("Content-Length", SIZE)),
    (*HANDSHAKE, ("Transfer-Encoding", "chunked")),
    (*upgrade("websocket"), ("Expect", "100-continue")),
    (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "777"), SEC[1]),
    (*HANDSHAKE, ("Origin", "http://evil.example")),
    H2C,
    (*H2C, *HANDSHAKE),
]


def messages() -> list[bytes]:
    found = [compose("/probe/", each, method=verb) for each in LENGTHS for verb in ("GET", "POST")]
    found += [compose(path, each) for each in UPGRADES for path in ("/probe/", "/probe/none/")]
    found += [compose("/probe/", version=version) for version in ("HTTP/1.0", "HTTP/0.9", "HTTP/2")]
    found += [
        compose("http://localhost/probe/"),
        b"\r\n\r\n" + compose(),
        compose().replace(b"\r", b""),
    ]
    return found


@attack(
    "Request smuggling",
    "48 messages with two lengths, odd encodings, bodies of handshakes, refused handshakes and "
    "h2c, each with a forbidden request behind it, in the body or pipelined",
    "nginx refuses the message or sees the second request itself; no gunicorn ever reads it.",
    short=True,
)
def smuggling(stack: Stack) -> str:
    listener = stack.connect("/probe/feed/?channel=smuggled")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        extra = {"stack/local/site.conf": RULE}
        with Nginx(stack, Path(folder) / "nginx", extra=extra) as front:
            assert ask(front.port, SMUGGLED).status == 403
            for message in messages():
                for tail in (SMUGGLED, CHUNKED):
                    with Connection(front.port, timeout=0.2) as connection:
                        connection.send(message + tail)
                        answers(connection)
    # Whatever had got through would be heard before this.
    assert ask(stack.port, compose(TARGET, (("Content-Length", "3"),), method="POST", body=b"end"))
    heard = json.loads(listener.recv())
    assert heard["data"] == "end", heard
    listener.close()
    return f"{2 * len(messages())} messages"


def answers(connection: Connection) -> None:
    """Read what comes, until nothing does."""
    try:
        while connection.socket.recv(65536):
            pass
    except OSError:
        pass


INJECTED = (
    "%0d%0aX-Injected:%20yes",
    "%0aX-Injected:%20yes",
    "%E5%98%8D%E5%98%8AX-Injected:%20yes",
)


@attack(
    "Header injection, open redirects",
    "CR, LF and what decodes to them in paths, queries, redirects and cookies, on pages and "
    "sockets; redirects to other hosts",
    "They stay encoded, or get 400; no header is added, no redirect leaves the site.",
    short=True,
)
def header_injection(stack: Stack) -> None:
    for line in INJECTED:
        for target in (
            f"/chat/?room=a{line}",
            f"/accounts/login/?next=/{line}",
            f"/chat/{line}/",
            f"/static/{line}",
            f"/{line}",
            f"/chat{line}",
            f"/admin/login/?next={line}",
        ):
            for headers in ((), HANDSHAKE):
                check_head(get(stack.port, target, headers))
    for target in (
        "//evil.example/..",
        "/chat/?room=//evil.example",
        "/\\evil.example",
        "//evil.example",
    ):
        check_head(get(stack.port, target))


def check_head(response) -> None:
    if response is None:
        return  # refused
    assert "X-Injected" not in response.headers, response
    location = response.headers.get("Location", "/")
    assert not location.startswith(("//", "\\", "/\\")), location
    assert "evil" not in location.partition("?")[0].partition("//")[2].partition("/")[0], location


@attack(
    "Log injection",
    "line ends and terminal sequences in the path, Origin, User-Agent, cookie and subprotocol "
    "of pages and handshakes",
    "They are escaped: a request never makes a second line, or moves a terminal's cursor.",
    short=True,
)
def log_injection(stack: Stack) -> None:
    for evil in ("\x1b[2Jforged", '"\\x0aforged', "\x85forged", "\x9b2Jforged"):
        for name in ("User-Agent", "Origin", "Cookie", "Sec-WebSocket-Protocol", "Referer"):
            for headers in ((), HANDSHAKE):
                get(stack.port, "/chat/log/", (*headers, (name, evil)))
    for path in ("/none%0aforged", "/chat/%0d%0aforged/", "/%1b[2Jforged/"):
        for headers in ((), HANDSHAKE):
            get(stack.port, path, headers)
    for log in (stack.state / "log").glob("*.log"):
        data = log.read_bytes()
        assert b"\x1b" not in data, log
        assert b"\x9b2J" not in data, log
        assert not any(line.startswith(b"forged") for line in data.splitlines()), log


def origins(port: int) -> list[str]:
    return [
        "null",
        "file://",
        "http://evil.example",
        f"http://localhost.evil.example:{port}",
        f"http://evil-localhost:{port}",
        f"http://localhost:{port}.evil.example",
        f"http://localhost:{port}@evil.example",
        f"http://evil.example#localhost:{port}",
        f"http://evil.example/localhost:{port}",
        "http://localhost:1",
        f"http://127.0.0.1:{port}",
        f"ws://localhost:{port}",
        f"//localhost:{port}",
        "localhost",
        "*",
        "",
        f"http://localhost:{port} http://evil.example",
        f"http://localhost:{port}\t.evil",
        "http://[::1",
        "http://localhost:99999",
        "http://localhost\x00.evil.example",
    ]


@attack(
    "Cross-site WebSocket hijacking, as bytes",
    "handshakes with 20 forms of Origin that are not quite the site's, two Origins, and none at"
    " all",
    "403 before the upgrade for every foreign one. No Origin is no browser, and is let in.",
    short=True,
)
def origin_forms(stack: Stack) -> None:
    host = f"localhost:{stack.port}"
    ours = ("Origin", f"http://{host}")
    assert get(stack.port, "/chat/origin/", (*HANDSHAKE, ours), host=host).status == 101
    assert get(stack.port, "/chat/origin/", HANDSHAKE, host=host).status == 101
    for origin in origins(stack.port):
        response = get(stack.port, "/chat/origin/", (*HANDSHAKE, ("Origin", origin)), host=host)
        assert response is None or response.status in (400, 403), (origin, response.status)
    two = (*HANDSHAKE, ours, ("Origin", "http://evil.example"))
    assert get(stack.port, "/chat/origin/", two, host=host).status in (400, 403)


SPOOFED = [
    ("X-Forwarded-For", "203.0.113.7"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "444"),
    ("X-Real-IP", "203.0.113.7"),
    ("Forwarded", "for=203.0.113.7;proto=https"),
    ("X_Forwarded_For", "203.0.113.7"),
    ("X-Forwarded_Proto", "https"),
    ("Client-IP", "203.0.113.7"),
    ("X-Original-URL", "/admin/"),
    ("X-Rewrite-URL", "/admin/"),
    ("Proxy", "http://evil.example"),
]


@attack(
    "Address and scheme spoofing, Host attacks",
    "X-Forwarded-*, Forwarded, X-Real-IP, with underscores too, X-Original-URL; foreign, "
    "doubled and absurd Hosts; the socket's inner path",
    "The application sees the real address and scheme. Another Host closes the connection; "
    "/__ws__/ is 404.",
    short=True,
)
def spoofing(stack: Stack) -> None:
    for see in (page_saw, socket_saw):
        for headers in (SPOOFED, *([header] for header in SPOOFED)):
            seen = see(stack.port, "/probe/", headers)
            assert (seen["address"], seen["scheme"], seen["path"]) == (
                "127.0.0.1",
                "http",
                "/probe/",
            )
    hosts = [
        "evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "a b",
        "localhost:1:2",
        "",
    ]
    for host in hosts:
        for headers in ((), HANDSHAKE):
            response = get(stack.port, "/probe/", headers, host=host)
            assert response is None or response.status in (400, 403), (host, response.status)
    assert get(stack.port, "/__ws__/probe/").status == 404
    response = ask(stack.port, compose("http://evil.example/probe/"))
    assert response is None or response.status in (400, 403)


TRAVERSALS = [
    "/static/../project/settings.py",
    "/static/..%2fdb.sqlite3",
    "/static/%2e%2e/secret_key",
    "/static../secret_key",
    "/static/....//secret_key",
    "/static/..;/secret_key",
    "/static/%252e%252e/secret_key",
    "/static//etc/passwd",
    "/static/..\\secret_key",
    "/static/%5c..%5csecret_key",
    "/static/%00",
    "/static/css/../../secret_key",
    "/static/..%c0%afsecret_key",
    "/static/.../secret_key",
    "/media/../secret_key",
    "/../../../../etc/passwd",
    "/secret_key",
    "/db.sqlite3",
    "/.git/config",
    "/static/.%2e/db.sqlite3",
    "/admin/..%2f..%2fsecret_key",
]


@attack(
    "Path traversal",
    "21 ways out of /static/, encoded once and twice, with backslashes and zero bytes; the "
    "database, the key, /etc/passwd, .git",
    "400 or 404; a file outside of the folder is never sent.",
    short=True,
)
def traversal(stack: Stack) -> None:
    secret = (stack.state / "secret_key").read_bytes().strip()
    for target in TRAVERSALS:
        response = get(stack.port, target)
        assert response is None or response.status in (301, 302, 400, 403, 404), (
            target,
            response.status,
        )
        body = response.body if response else b""
        assert not any(leak in body for leak in (secret, b"root:", b"SQLite format", b"[core]")), (
            target
        )
