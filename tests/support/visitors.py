"""People in the chat of a running stack."""

import http.cookiejar
import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from typing import Any
from uuid import uuid4

import websocket

from .stack import PATIENCE, ROOT, Stack

PASSWORD = "a long enough password"


class Visitor:
    """One open socket of a room.

    ``since`` is the id of the last message from the room that it has read; by default it reads the
    room's history first.
    """

    def __init__(
        self, stack: Stack, room: str, name: str = "Ada", since: str = "0", **options: Any
    ) -> None:
        self._fields = {"name": name, "colour": "#1a2b3c"}
        self.since = since
        self.socket = stack.connect(f"/chat/{room}/?since={since}", **options)

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()
        self.socket.shutdown()  # close() does nothing once the server has said goodbye

    def read(self) -> dict[str, Any]:
        text = self.socket.recv()
        if not text:
            raise websocket.WebSocketConnectionClosedException("closed with a close frame")
        message = json.loads(text)
        self.since = message.get("id", self.since) if "channel" in message else self.since
        return message

    def next(self) -> dict[str, Any]:
        """The next message of the room's; the gap note where some are missing."""
        while "channel" not in (message := self.read()):
            pass
        return message.get("data", message)

    def hear(self, text: str) -> dict[str, Any]:
        """The room's message that says ``text``."""
        while (message := self.next()).get("text") != text:
            pass
        return message

    def answer(self) -> dict[str, Any]:
        """The next answer: ``{"data": …}`` or ``{"error": …}``."""
        while (message := self.read()).get("type") != "ws.reply":
            pass
        return message

    def send(self, text: str, **changes: str) -> None:
        """Say something, with another name or colour from now on if one is given."""
        self._fields |= changes
        self.socket.send(saying(text, **self._fields))

    def say(self, text: str, **changes: str) -> int:
        """Say something and give the id that it got."""
        self.send(text, **changes)
        answer = self.answer()
        assert "data" in answer, answer
        return answer["data"]["id"]


def saying(text: str, **fields: str) -> str:
    """A request to say something."""
    event = {"type": "say", "name": "Ada", "colour": "#1a2b3c", "text": text, **fields}
    return json.dumps({"type": "ws.request", "id": uuid4().hex, "data": event})


def make_member(stack: Stack, name: str) -> None:
    """Give the stack's site a user, with ``PASSWORD``."""
    subprocess.run(
        [sys.executable, ROOT / "app" / "manage.py", "createsuperuser", "--noinput",
         "--username", name, "--email", "member@example.com"],
        check=True,
        capture_output=True,
        env=os.environ
        | {"DJANGO_SETTINGS_MODULE": "project.settings", "STATE_DIR": str(stack.state)}
        | {"DJANGO_SUPERUSER_PASSWORD": PASSWORD},
    )  # fmt: skip


def log_in(stack: Stack, name: str) -> str:
    """Log a member in as the login page does; the cookie header that makes them known."""
    cookies = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    url = f"{stack.url}accounts/login/"
    with opener.open(url, timeout=PATIENCE) as page:
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    form = {"csrfmiddlewaretoken": token, "username": name, "password": PASSWORD, "next": "/chat/"}
    with opener.open(url, urllib.parse.urlencode(form).encode(), timeout=PATIENCE) as page:
        assert page.url == f"{stack.url}chat/", "the login page came back"
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)
