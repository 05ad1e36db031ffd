"""People who use the site while it changes: they count what goes wrong for them."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
import uuid

import websocket

#: Seconds for which nobody waits longer.
PATIENCE = 20
#: Seconds after which a visitor looks up from a silent socket.
GLANCE = 0.2
#: Seconds between two pages of one visitor. Hosts and controller share the machine with it.
PAUSE = 0.1


class Site:
    """``certificate`` (PEM), of ``name`` or of ``address``, is the only one that is trusted."""

    def __init__(self, address: str, certificate: str, name: str = ""):
        self.address = address
        self.name = name or address
        self._tls = ssl.create_default_context(cadata=certificate)

    def get(self, path: str) -> int:
        """The status of a page."""
        return self._ask(path)[0]

    def read(self, path: str) -> str:
        """The text of a page."""
        return self._ask(path)[1].decode()

    def _ask(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.name)
        with contextlib.closing(connection):
            tcp = socket.create_connection((self.address, 443), PATIENCE)
            connection.sock = self._tls.wrap_socket(tcp, server_hostname=self.name)
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def connect(self, room: str) -> websocket.WebSocket:
        """An open socket in a room, which gets what was said there so far."""
        return websocket.create_connection(
            f"wss://{self.address}/chat/{room}/?since=0",
            sslopt={"context": self._tls, "server_hostname": self.name},
            host=self.name, origin=f"https://{self.name}", timeout=PATIENCE,
        )  # fmt: skip

    def wait(self, seconds: float) -> None:
        """Until sockets are answered."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.chat("lobby", "is anybody here?")
            except (OSError, websocket.WebSocketException):
                assert time.monotonic() < deadline, f"nobody serves after {seconds} s"
                time.sleep(0.2)
            else:
                return

    def chat(self, room: str, text: str) -> None:
        """One says it, another one hears it."""
        with (
            contextlib.closing(self.connect(room)) as ada,
            contextlib.closing(self.connect(room)) as bob,
        ):
            say(ada, text)
            hear(bob, text)


def say(socket: websocket.WebSocket, text: str) -> None:
    key = uuid.uuid4().hex
    socket.send(
        json.dumps({"type": "say", "name": "Ada", "colour": "#1a2b3c", "text": text, "key": key})
    )


def hear(socket: websocket.WebSocket, text: str) -> None:
    """Wait until somebody has said it."""
    deadline = time.monotonic() + PATIENCE
    while json.dumps(text) not in (heard := socket.recv()):
        assert time.monotonic() < deadline, f"{text!r} was not heard; the last was {heard}"


class Reader(threading.Thread):
    """Asks for one page after another for as long as the block lasts."""

    def __init__(self, site: Site, path: str = "/chat/"):
        super().__init__(daemon=True)
        self._site = site
        self._path = path
        self._done = threading.Event()
        self.successes = 0
        self.failures: list[str] = []

    def run(self) -> None:
        while not self._done.wait(PAUSE):
            try:
                status = self._site.get(self._path)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            else:
                if status == 200:
                    self.successes += 1
                else:
                    self.failures.append(str(status))

    def __enter__(self) -> "Reader":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self.join()


class Listener(threading.Thread):
    """Sits in a room, answers pings, and comes back at once when the socket is closed.

    Only its own thread touches the socket: a descriptor that another thread closes may be somebody
    else's connection by the time it is read from.
    """

    def __init__(self, site: Site, room: str):
        super().__init__(daemon=True)
        self._site = site
        self._room = room
        self._is_in = threading.Event()
        self._done = threading.Event()
        self.close_codes: list[int | None] = []
        self.reconnect_seconds: list[float] = []

    def __enter__(self) -> "Listener":
        self.start()
        assert self._is_in.wait(PATIENCE), "the room does not open"
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        self._stay()
        while not self._done.is_set():
            self._stay(time.monotonic())

    def _stay(self, closed_at: float | None = None) -> None:
        """From a handshake to a close, which came at ``closed_at`` for the socket before."""
        socket = self._site.connect(self._room)
        if closed_at is not None:
            self.reconnect_seconds.append(time.monotonic() - closed_at)
        self._is_in.set()
        try:
            socket.settimeout(GLANCE)
            code = self._read_until_closed(socket)
        finally:
            socket.shutdown()
        if not self._done.is_set():
            self.close_codes.append(code)

    def _read_until_closed(self, socket: websocket.WebSocket) -> int | None:
        """The close code; None when the connection just broke, or when we are done."""
        try:
            while not self._done.is_set():
                with contextlib.suppress(websocket.WebSocketTimeoutException):
                    opcode, data = socket.recv_data()
                    if opcode == websocket.ABNF.OPCODE_CLOSE:
                        return int.from_bytes(data[:2], "big") if data else 1005
        except (OSError, websocket.WebSocketException):
            pass
        return None
