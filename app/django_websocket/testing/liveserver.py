"""Pages, static files and sockets on one port of the test process.

Pages are served as by Django's own ``LiveServerTestCase``: a thread for each request, with the
test's connection if the database is SQLite in memory. Sockets are served as under
``WebSocketClient``: a thread for each view, and one for its connection. So nothing has to be
patched, and overridden settings, ``mail.outbox``, mocks and ``memory://`` are the test's own. A
child process, as in Channels, would share none of that, nor a database in memory.
"""

from __future__ import annotations

import io
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.core.servers.basehttp import ThreadedWSGIServer
from django.http import HttpResponseBase
from django.test.testcases import LiveServerThread, QuietWSGIRequestHandler

from django_websocket.auth.events import Enforcer, Event
from django_websocket.auth.listener import taps
from django_websocket.auth.review import Sockets, open_sockets
from django_websocket.auth.schedule import Job
from django_websocket.pubsub.dispatcher import Dispatcher
from django_websocket.rfc6455.handshake import BadHandshake, is_handshake

from .database import Lent, use
from .view import View

__all__ = ["WebSocketLiveServerThread"]

#: Seconds that views have to end after their sockets are closed.
_PATIENCE = 2.0

#: Seconds between two checks of a handshake during which an event came.
_LOOK = 0.005


class WebSocketServer(ThreadedWSGIServer):
    """Django's test server, with a handler that serves sockets, too."""

    #: Returns the dispatcher of this process.
    get_dispatcher: Callable[[], Dispatcher]

    def __init__(self, address: tuple[str, int], handler: Any, **options: Any) -> None:
        super().__init__(address, _Handler, **options)
        self.views: set[View] = set()


class WebSocketLiveServerThread(LiveServerThread):
    """Django's live server thread, which serves sockets, too."""

    server_class = WebSocketServer
    httpd: WebSocketServer

    def run(self) -> None:
        """Serve until :meth:`terminate`."""
        self._sessions = _Sessions(list((self.connections_override or {}).values()), self._views)
        super().run()

    def terminate(self) -> None:
        """Close sockets with 1012, wait for their views, and end."""
        for view in self._views():
            view.end(_PATIENCE)
        super().terminate()
        self._sessions.close()

    def _views(self) -> list[View]:
        return list(self.httpd.views) if hasattr(self, "httpd") else []


class _Handler(QuietWSGIRequestHandler):
    """Handles the handshakes among the requests of Django's live server."""

    server: Any

    def parse_request(self) -> bool:
        """Whether it is a page's request. If not, the handshake has been answered."""
        if not super().parse_request():
            return False
        # wsgiref records a header that was not sent as an empty one.
        environ = {name: value for name, value in self.get_environ().items() if value != ""}
        environ.setdefault("QUERY_STRING", "")
        environ.setdefault("SCRIPT_NAME", "")
        if not is_handshake(environ):
            return True
        self.close_connection = True
        try:
            self._serve(environ | _wsgi())
        except BadHandshake as error:
            self.send_error(int(error.status[:3]), explain=str(error))
        return False

    def _serve(self, environ: dict[str, Any]) -> None:
        # Data after the handshake is the socket's: peek() reads it without waiting.
        connection: Any = self.connection
        connection.setblocking(False)
        early = self.rfile.peek()  # type: ignore[attr-defined]
        view = View(environ, connection.dup(), self.server.get_dispatcher, on_accept=lambda: early)
        # Before it accepts, so that an event which follows finds it.
        self.server.views.add(view)
        try:
            view.start()
            view.join()
        finally:
            self.server.views.discard(view)
            connection.settimeout(_PATIENCE)
        if view.response is not None:
            self.wfile.write(_http(view.response))


def _wsgi() -> dict[str, Any]:
    """What PEP 3333 requires besides the request."""
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _http(response: HttpResponseBase) -> bytes:
    """The response as bytes; the connection ends after it."""
    fields = [*response.items(), ("Connection", "close")]
    fields += [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
    head = [f"HTTP/1.1 {response.status_code} {response.reason_phrase}"]
    head += [f"{name}: {value}" for name, value in fields if name != "Connection"]
    body = b"".join(response)
    return "\r\n".join([*head, "Connection: close", "", ""]).encode("latin-1") + body


class _Sessions:
    """Applies events in its own thread, a little later, as a page saves its session at its end."""

    def __init__(self, lent: Lent, views: Callable[[], list[View]]) -> None:
        self._views = views
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._enforcer = Enforcer(self)
        self._thread = threading.Thread(
            target=self._run, args=(lent,), name="django-websocket-sessions", daemon=True
        )
        self._tap = self._events.put
        taps.append(self._tap)
        self._thread.start()

    def add(self, job: Job, sockets: Sockets, seconds: float = 0.0) -> None:
        """Run ``job`` for ``sockets`` in ``seconds``. Later jobs wait for it."""
        time.sleep(seconds)
        job(list(sockets))

    def close(self) -> None:
        """End the thread."""
        taps.remove(self._tap)
        self._events.put(None)
        self._thread.join()

    def _run(self, lent: Lent) -> None:
        late: list[tuple[View, Event]] = []
        with use(lent):
            while True:
                with suppress(queue.Empty):
                    if (event := self._events.get(timeout=_LOOK if late else None)) is None:
                        return
                    under_way = [v for v in self._views() if v.websocket not in open_sockets]
                    late += [(view, event) for view in under_way]
                    self._enforcer.obey(event, list(open_sockets.items()))
                late = [each for each in late if not self._catches_up(*each)]

    def _catches_up(self, view: View, event: Event) -> bool:
        """Apply an event that came during the handshake. False: the socket is not known yet."""
        opened = open_sockets.get(view.websocket)
        if opened is not None:
            self._enforcer.obey(event, [(view.websocket, opened)])
        return opened is not None or not view.is_alive
