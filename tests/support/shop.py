"""The shop of tests/deploy/shop, a foreign project, and a customer of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import websocket
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from .server import PATIENCE, ROOT

SHOP = ROOT / "tests" / "deploy" / "shop"


class Customer:
    """``url`` is where the shop is; a certificate (PEM) the only one that is trusted. ``address``
    is the host's, where no name server knows it."""

    def __init__(
        self, url: str, certificate: str | None = None, address: str | None = None
    ) -> None:
        self._url = url
        self._address = address
        self._tls = ssl.create_default_context(cadata=certificate)
        self._jar = CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self._jar),
            _HTTPSHandler(self._tls, address),
            urllib.request.ProxyHandler({}),
        )

    def ask(self, path: str, **form: Any) -> HTTPResponse:
        """The answer to a page or, with a form, to what is posted; redirects are followed."""
        request = urllib.request.Request(self._url + path, headers={"Referer": f"{self._url}/"})
        if form:
            request.data = encode_multipart(BOUNDARY, form)
            request.add_header("Content-Type", MULTIPART_CONTENT)
            request.add_header("X-CSRFToken", self._token())
        try:
            return self._opener.open(request, timeout=PATIENCE)
        except urllib.error.HTTPError as error:
            return error

    def get(self, path: str) -> int:
        """The status of a page."""
        with self.ask(path) as answer:
            return answer.status

    def read(self, path: str) -> str:
        with self.ask(path) as answer:
            assert answer.status == 200, f"{path} is {answer.status}"
            return answer.read().decode()

    def deliver(self, product: str, number: int, leaflet: Path | None = None) -> None:
        """Bring more of a product."""
        form = {"product": product, "number": number}
        if not leaflet:
            self._post("/shop/deliver/", **form)
            return
        with leaflet.open("rb") as file:
            self._post("/shop/deliver/", **form, leaflet=file)

    def order(self, product: str) -> None:
        self._post("/shop/order/", product=product)

    def leaflet(self, product: str) -> str:
        """The path of a product's leaflet."""
        item = re.search(rf"<li>{product}: .*?</li>", self.read("/shop/"), re.DOTALL)
        assert item, f"the shop has no {product}"
        return re.findall('href="(.+?)"', item[0])[0]

    def staff(self) -> dict[str, dict[str, Any]]:
        """Who works, by the role: their version, tasks and latest sign of life."""
        return json.loads(self.read("/shop/staff/"))["staff"]

    @contextlib.contextmanager
    def counter(self) -> Iterator[websocket.WebSocket]:
        """A socket that hears of every change of the stock, and answers names of products."""
        with contextlib.closing(self.connect("/shop/stock/")) as counter:
            yield counter

    def connect(self, path: str) -> websocket.WebSocket:
        """An open socket."""
        host = self._url.rpartition("/")[2]
        sock = self._address and self._tls.wrap_socket(
            socket.create_connection((self._address, 443), PATIENCE), server_hostname=host
        )
        return websocket.create_connection(
            self._url.replace("http", "ws", 1) + path, socket=sock,
            timeout=PATIENCE, origin=self._url, sslopt={"context": self._tls},
        )  # fmt: skip

    def _post(self, path: str, **form: Any) -> None:
        with self.ask(path, **form) as answer:
            assert answer.status == 200, f"{path} is {answer.status}: {answer.read()[:2000]!r}"

    def _token(self) -> str:
        self.read("/shop/")
        (token,) = [cookie.value for cookie in self._jar if cookie.name == "csrftoken"]
        return token or ""


class _HTTPSHandler(urllib.request.HTTPSHandler):
    """Goes to ``address``, whatever the host's name."""

    def __init__(self, tls: ssl.SSLContext, address: str | None) -> None:
        super().__init__(context=tls)
        self._tls = tls
        self._address = address

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, request)

    def _connection(self, host: str, **options: Any) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(host, context=self._tls, **options)
        if self._address:
            connection._create_connection = self._connect  # type: ignore[attr-defined]
        return connection

    def _connect(self, address: tuple[str, int], *rest: Any) -> socket.socket:
        return socket.create_connection((self._address, address[1]), *rest)


def hear(counter: websocket.WebSocket, **data: Any) -> None:
    """Wait until the counter says this."""
    heard = []
    while data not in (heard and [heard[-1], heard[-1].get("data")]):
        heard.append(json.loads(counter.recv()))
