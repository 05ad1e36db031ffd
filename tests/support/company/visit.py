"""What clients do on the site, the same with every tool."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import websocket

from support.server import Server
from support.visitors import PASSWORD, Visitor

from .browser import Browser
from .site import MEMBER, Site

#: Sockets that come and go while nothing may stay of them.
CROWD = 200
#: What a tool may keep until it has sent its reports: less of each than an open socket takes.
_MAY_GROW = {"kilobytes": 15 * CROWD, "objects": 20 * CROWD}


@dataclass
class Visit:
    """What they met. Compare with ``Visit()``, which is what they meet without any tool."""

    echo: list[str | bytes] = field(default_factory=lambda: ["one", b"two", "three"])
    said: list[str] = field(default_factory=lambda: ["hello", "good bye"])
    stranger: tuple[int, str | None] = (302, "/accounts/login/?next=/company/private/first/")
    foreign_origin: tuple[int, str | None] = (403, None)
    not_permitted: tuple[int, str | None] = (403, None)
    not_found: tuple[int, str | None] = (404, None)
    view_fails: int = 1011
    logged_out: int = 4401


def visit(site: Site, server: Server) -> Visit:
    browser = Browser(site)
    browser.log_in(MEMBER, PASSWORD)
    cookie = browser.cookie
    long = server.connect("/company/private/long/", cookie=cookie)
    met = Visit(
        echo=_echo(server),
        said=_chat(server),
        stranger=_refusal(server, "/company/private/first/"),
        foreign_origin=_refusal(server, "/echo/", Origin="https://elsewhere.example"),
        not_permitted=_refusal(server, "/company/permitted/", Cookie=cookie),
        not_found=_refusal(server, "/company/nowhere/"),
        view_fails=_fail(server, cookie),
    )
    long.send("still here")
    assert long.recv() == "still here"
    browser.log_out()
    met.logged_out = close_code(long)
    return met


def _refusal(server: Server, path: str, **headers: str) -> tuple[int, str | None]:
    answer = server.handshake(path, **headers)
    return answer.status, answer.getheader("Location")


def _echo(server: Server) -> list[str | bytes]:
    client = server.connect("/echo/")
    answers = []
    for message in ("one", b"two", "three"):
        client.send(message) if isinstance(message, str) else client.send_binary(message)
        answers.append(client.recv())
    client.close()
    return answers


def _chat(server: Server) -> list[str]:
    with Visitor(server, "company", "Ada") as ada, Visitor(server, "company", "Bob") as bob:
        said = []
        for text in ("hello", "good bye"):
            ada.say(text)
            said.append(bob.hear(text)["text"])
        return said


def _fail(server: Server, cookie: str) -> int:
    client = server.connect("/company/fails/here/", cookie=cookie)
    assert client.recv() == MEMBER
    client.send("on purpose")
    return close_code(client)


def close_code(client: websocket.WebSocket) -> int:
    """The code in the server's close frame."""
    _, payload = client.recv_data(control_frame=True)
    client.shutdown()
    return int.from_bytes(payload[:2], "big")


def crowd(server: Server) -> dict[str, int]:
    """What there is more of in memory, and too much, after a crowd has come and gone.

    It comes again if so: a tool fills its buffers, and what leaks does so every time.
    """
    census = server.connect("/company/census/")

    def count() -> dict[str, int]:
        for _ in range(CROWD):
            client = server.connect("/echo/")
            client.send("x")
            client.recv()
            client.close()
        census.send("now")
        return json.loads(census.recv())

    after = count()
    for _ in range(4):
        before, after = after, count()
        grown = {kind: number - before[kind] for kind, number in after.items()}
        grown = {kind: more for kind, more in grown.items() if more > _MAY_GROW.get(kind, 5)}
        if not grown:
            break
    census.close()
    return grown
