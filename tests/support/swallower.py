"""A TCP proxy that can swallow everything, as a dead network or a NAT that forgot does."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from types import TracebackType


class Swallower:
    """Passes bytes between its clients and ``target``. Its own address is ``address``.

    After :meth:`swallow`, the connections that are open pass nothing more and are not closed
    either; later ones pass.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._dead: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Swallower:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        for sock in [*self._peers, self._listener]:
            sock.close()
        self._selector.close()

    def swallow(self) -> None:
        """The connections that are open now are dead, and nobody tells their ends."""
        self._dead.update(self._peers)

    def _run(self) -> None:
        while not self._ended.is_set():
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._pass(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._target)
        for sock, peer in ((client, server), (server, client)):
            self._peers[sock] = peer
            self._selector.register(sock, selectors.EVENT_READ)

    def _pass(self, sock: socket.socket) -> None:
        data = b""
        with contextlib.suppress(ConnectionError):
            data = sock.recv(65536)
        if sock not in self._dead:
            with contextlib.suppress(OSError):
                if data:
                    self._peers[sock].sendall(data)
                else:
                    self._peers[sock].shutdown(socket.SHUT_WR)
        if not data:
            self._selector.unregister(sock)
