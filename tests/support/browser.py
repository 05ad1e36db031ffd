"""A browser without a screen: it keeps cookies, gets pages and opens sockets."""

from __future__ import annotations

import http.cookies

import websocket

from .server import Server


class Browser:
    def __init__(self, pages: Server) -> None:
        self._pages = pages
        self._cookies: dict[str, str] = {}

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def get(self, path: str) -> str:
        """A page's text. Takes its cookies."""
        response = self._pages.get(path, Cookie=self.cookie)
        assert response.status == 200, response.status
        for header in response.headers.get_all("Set-Cookie", ()):
            for name, morsel in http.cookies.SimpleCookie(header).items():
                self._cookies.pop(name, None)
                if morsel.value:
                    self._cookies[name] = morsel.value
        return response.body.decode()  # type: ignore[attr-defined]

    def open(self, server: Server, path: str) -> websocket.WebSocket:
        """A socket of an echo view that has answered once."""
        client = server.connect(path, cookie=self.cookie)
        client.send("here")
        assert client.recv() == "here"
        return client


def is_open(client: websocket.WebSocket) -> bool:
    client.send("still here")
    return client.recv() == "still here"


def close_code(client: websocket.WebSocket) -> int:
    """Waits for the close frame."""
    opcode, data = client.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE, data
    return int.from_bytes(data[:2], "big")
