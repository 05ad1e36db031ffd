"""``gunicorn --worker-class django_websocket.worker.WebSocketWorker``

gunicorn imports this module before gevent patches the standard library, so nothing here may import
Django at the top.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool
from geventwebsocket.gunicorn.workers import GeventWebSocketWorker
from greenlet import greenlet
from gunicorn.http.wsgi import base_environ
from gunicorn.sock import ssl_context
from gunicorn.workers.base import Worker
from gunicorn.workers.ggevent import VERSION

from .errors import ImproperSetting
from .options import Options
from .patches.eventloops import end_all, give_each_greenlet_its_own
from .server import exits, health
from .server.drain import KILL_TIME, close_all, drain
from .server.handler import WebSocketHandler
from .server.proxies import TrustedProxies
from .server.server import Engine, WebSocketServer
from .server.watchdog import Watchdog, handler_of, waits_for_client, where

__all__ = ["WebSocketWorker"]

#: Greenlets beside those of the WebSockets, for readiness probes and for the answer 503.
_SPARE_GREENLETS = 64

#: The name of a connection that does not exist.
_PROBE = "django_websocket.worker"

#: The worker ends this many seconds before gunicorn would kill it.
_EARLIER = 2.0

#: If a greenlet blocks the worker for this many seconds, the log names it when it continues.
_NOTICED = 1.0
#: A greenlet that blocks the worker is named in the log after this part of gunicorn's timeout,
#: though it goes on: it may be in code that lets no Python run when the timeout comes.
_SAID_AFTER = 0.75
#: Seconds instead of a timeout that is switched off.
_NO_TIMEOUT = 30

#: How many places of other greenlets the log names when a worker is killed.
_PLACES = 5

_SEPARATE = (
    "A message reaches the sockets of only one of these %s workers: WEBSOCKET_BROKER is memory://, "
    "which stays within one process. Name a Redis, such as redis://localhost:6379/0"
)

_REMEDY = "Use I/O that gevent patches, yield with gevent.sleep(0), or compute in another process"


class WebSocketWorker(GeventWebSocketWorker):  # type: ignore[misc]
    """gevent-websocket's worker with the engine of this library.

    It follows ``max_requests`` (which counts handshakes), ``limit_request_*`` and
    ``forwarded_allow_ips``. ``worker_connections`` is the number of WebSockets unless
    ``WEBSOCKET_MAX_CONNECTIONS`` is set.
    """

    server_class = WebSocketServer
    wsgi_handler = WebSocketHandler

    options: Options
    _changed: Event | None = None
    _engine: Engine | None = None
    _watchdog: Watchdog | None = None
    _held: str | None = None
    _servers: Sequence[WebSocketServer] = ()

    def patch(self) -> None:
        """Patch the standard library; check that greenlets do not share a database connection.

        Raises :class:`ImproperSetting` if they would.
        """
        super().patch()
        _require_own_connections()
        # gevent would record where each greenlet was spawned, for debugging.
        gevent.config.track_greenlet_tree = False
        give_each_greenlet_its_own()

    def load_wsgi(self) -> None:
        """Load the application, then the options, which its settings define."""
        super().load_wsgi()
        self.options = _load_options()
        if self.cfg.workers > 1 and self.options.broker.startswith("memory:"):
            self.log.warning(_SEPARATE, self.cfg.workers)

    def run(self) -> None:
        """Serve until a stop is requested, then drain: close sockets within the grace period."""
        self._changed = Event()
        # What is loaded stays: a full collection would look through it for 20 ms, again and again.
        gc.collect()
        gc.freeze()
        exits.contain(gevent.get_hub())
        engine = Engine(
            self.cfg,
            self.options,
            TrustedProxies(self.cfg.forwarded_allow_ips, self.cfg.forwarded_allow_networks()),
            self.options.max_connections or self.worker_connections,
            self._count_handshake,
        )
        self._engine = engine
        self._watchdog = Watchdog(
            health.INTERVAL,
            self._worth_a_line,
            _SAID_AFTER * self.cfg.timeout,
            partial(_log_file, self.log),
        )
        self._watchdog.start()
        servers = self._servers = [self._serve(listener, engine) for listener in self.sockets]
        while self.alive:
            self.notify()
            self._beat()
            self._changed.wait(health.INTERVAL)
        self._drain(servers, engine)
        end_all(KILL_TIME)

    def _serve(self, listener: Any, engine: Engine) -> WebSocketServer:
        environ = base_environ(self.cfg)
        environ.update({"wsgi.multithread": True, "SERVER_SOFTWARE": VERSION})
        listener.setblocking(1)
        server = self.server_class(
            listener,
            application=self.wsgi,
            spawn=Pool(engine.limit + _SPARE_GREENLETS),
            log=self.log,
            handler_class=self.wsgi_handler,
            environ=environ,
            **({"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}),
        )
        server.engine = engine
        server.start()
        return server

    def notify(self) -> None:
        """Send gunicorn's heartbeat, measure how late it is, and stop if the master has died."""
        # gunicorn's gevent worker exits on the spot when the master has died; the clients of this
        # one get a close frame first.
        Worker.notify(self)
        if self._watchdog is not None:
            self._held = self._watchdog.beat() or self._held
        if self.ppid != os.getppid() and self.alive:
            self.log.info("Parent changed, shutting down: %s", self)
            self._stop()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT or SIGQUIT: exit at once. After Ctrl-C in a terminal, both come."""
        if not exits.exiting:
            exits.exiting = True
            super().handle_quit(sig, frame)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM, which is also what a reload sends."""
        self._stop()

    def _stop(self) -> None:
        self.alive = False
        if self._changed is not None:
            self._changed.set()

    def _count_handshake(self) -> None:
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after %s handshakes", self.nr)
            self._stop()

    @property
    def _worth_a_line(self) -> float:
        return min(_NOTICED, self.options.max_hub_lag)

    def _beat(self) -> None:
        late = health.beat()
        if late > self._worth_a_line:
            self.log.warning(
                "A greenlet blocked the worker for %.1f seconds: %s. %s", late, self._held, _REMEDY
            )
        self._held = None

    def handle_abort(self, sig: int, frame: Any) -> None:
        """SIGABRT, which gunicorn sends to a worker without a heartbeat for ``--timeout``."""
        self.alive, health.draining, exits.exiting = False, True, True
        self.log.critical(
            "A greenlet blocked the worker for longer than gunicorn's timeout (%s s), which ends it"
            ": %s. %s",
            self.cfg.timeout,
            where(frame),
            _REMEDY,
        )
        self._say_goodbye(handler_of(frame))
        self.cfg.worker_abort(self)
        main = gevent.get_hub().parent
        if main is not None and main is not gevent.getcurrent():
            main.throw(SystemExit(1))  # the view cannot catch it
        sys.exit(1)

    def _say_goodbye(self, guilty: Any) -> None:
        """Send every socket a close frame, as far as possible without waiting."""
        for server in self._servers:
            with suppress(Exception):
                server.close()  # the next worker takes new connections
        websockets = list(self._engine.websockets) if self._engine is not None else []
        for websocket in websockets:
            code, reason = (1011, "") if websocket.handler is guilty else (1012, "service restart")
            with suppress(Exception):  # it may be in any state
                websocket._go_away(code, reason)
        frames = [greenlet.gr_frame for server in self._servers for greenlet in server.pool]
        busy = Counter(where(each) for each in frames if each and not waits_for_client(each))
        for place, count in busy.most_common(_PLACES):
            self.log.critical("Ended with it, %s times: %s", count, place)

    # The end

    def close_websockets(self, code: int, reason: str = "") -> None:
        """Close the sockets that are open, and go on serving.

        A gunicorn hook such as ``post_worker_init`` may call it, from a greenlet of its own. It
        returns once every client has been sent the close frame.
        """
        if self._engine is not None:
            self.log.info("Closing %s WebSockets: %s", len(self._engine.websockets), reason or code)
            close_all(self._engine, code, reason, self._patience)

    def _drain(self, servers: list[WebSocketServer], engine: Engine) -> None:
        """Close every socket with 1012 and wait for the views, within the grace period."""
        self.log.info("Closing %s WebSockets (pid: %s)", len(engine.websockets), self.pid)
        drain(servers, engine, self._patience, self.log, self.notify)

    @property
    def _patience(self) -> float:
        """Seconds within which all sockets are closed."""
        grace: int = self.cfg.graceful_timeout
        return max(grace - _EARLIER - KILL_TIME, grace / 2)


def _require_own_connections() -> None:
    """Raise :class:`ImproperSetting` if all greenlets share one database connection.

    They do if Django was loaded before gevent patched the standard library.
    """
    if "django.db" not in sys.modules:
        return
    from django.db import connections

    def is_shared() -> bool:
        try:
            return bool(connections[_PROBE])
        except Exception:  # noqa: BLE001 - no such connection, or no settings that could name any
            return False

    connections[_PROBE] = True  # type: ignore[assignment]
    shared = greenlet(is_shared).switch()
    del connections[_PROBE]
    if shared:
        raise ImproperSetting(
            "Django was loaded before gevent patched the standard library, so all sockets would "
            "share one database connection. With --preload, begin gunicorn's configuration file "
            "with 'from gevent import monkey; monkey.patch_all()'; with opentelemetry-instrument, "
            "set OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH=patch_all"
        )


def _load_options() -> Options:
    """The project's settings, or the defaults for an application without Django."""
    from django.conf import ENVIRONMENT_VARIABLE, settings

    from .conf import get_options

    if settings.configured or ENVIRONMENT_VARIABLE in os.environ:
        return get_options()
    return Options()


def _log_file(log: Any) -> Any:
    """The stream of gunicorn's error log, for code that cannot use a logger."""
    for handler in log.error_log.handlers:
        stream = getattr(handler, "stream", None)
        if hasattr(stream, "fileno"):
            return stream
    return sys.stderr
