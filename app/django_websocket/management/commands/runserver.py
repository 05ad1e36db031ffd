"""Django's ``runserver``, which also serves sockets, on the same port.

gevent has to patch the standard library before Django is loaded, but ``manage.py`` has loaded
Django when this command begins. So the command starts a new, patched Python. Django's autoreloader
starts a second process anyway; its first one stays unpatched.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import gevent
from django.apps import apps
from django.core.management import CommandError
from django.utils import autoreload
from gevent.event import Event
from gevent.monkey import is_module_patched

from django_websocket.conf import get_options
from django_websocket.management import patched
from django_websocket.management.brokenfiles import watch_imports_of
from django_websocket.management.devlog import DevelopmentLog
from django_websocket.server.oneport import OnePort, by_upgrade
from django_websocket.urlresolvers import urlconfs
from django_websocket.wsgi import get_wsgi_websocket_application

if apps.is_installed("django.contrib.staticfiles"):
    from django.contrib.staticfiles.management.commands.runserver import Command as Runserver
else:
    from django.core.management.commands.runserver import Command as Runserver  # type: ignore[assignment]

__all__ = ["Command"]

#: Seconds that views have to end after their sockets are closed.
_PATIENCE = 1.0

_LAST_PORT = 65535

#: How many connections wait while the server restarts.
_BACKLOG = 512

#: The environment variable with the descriptor of the listening socket.
_LISTENER = "DJANGO_WEBSOCKET_LISTENER"

#: The exit status with which Django's autoreloader asks for a restart.
_RELOAD = 3


class Command(Runserver):
    """Serves pages, static files and sockets, and restarts when the code changes."""

    help = "Starts a lightweight web server for development, which also serves WebSockets."

    # Django sets them before it calls run().
    addr: str
    port: str
    use_ipv6: bool

    _server: _Server | None = None

    def run(self, **options: Any) -> None:
        """Serve in this process if it is patched, else in a new one that is."""
        if int(self.port) > _LAST_PORT:
            raise CommandError(f"Expected a port up to {_LAST_PORT}, found {self.port}.")
        if not is_module_patched("threading"):
            sys.exit(self._run_patched(reload=options["use_reloader"]))
        _end_main_by_signals()
        try:
            super().run(**options)
        except KeyboardInterrupt:  # while the project was loaded
            sys.exit(0)
        finally:
            if self._server is not None:
                self._server.stop()

    def _run_patched(self, *, reload: bool) -> int:
        """Run this command in a patched Python, again after each change. Returns its exit status.

        This process keeps the port, so clients wait while the other one restarts.
        """
        command = _patched(autoreload.get_child_arguments())
        if not reload:
            sys.stdout.flush()
            os.execv(command[0], command)  # noqa: S606 - this very program
        environ = os.environ | {autoreload.DJANGO_AUTORELOAD_ENV: "true"}
        with ExitStack() as stack:
            with suppress(OSError):  # the other process reports it, as Django does
                listener = stack.enter_context(_listen((self.addr, int(self.port)), self.use_ipv6))
                listener.set_inheritable(True)
                environ[_LISTENER] = str(listener.fileno())
            return _run_again_and_again(command, environ)

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Serve until the process is stopped."""
        if not options["use_threading"]:
            self.stderr.write("--nothreading has no effect: open sockets need concurrency.")
        try:
            # Django would mix a server of threads into ours.
            super().inner_run(*args, **options | {"use_threading": False})
        except Exception:
            watch_imports_of(urlconfs())
            raise

    def get_handler(self, *args: Any, **options: Any) -> Any:
        """The WSGI application of pages and sockets."""
        return by_upgrade(super().get_handler(*args, **options), get_wsgi_websocket_application())

    def on_bind(self, server_port: int) -> None:
        """Print the address, and which sockets are served there."""
        _end_main_by_signals()  # the autoreloader has set its own
        super().on_bind(server_port)
        self.stdout.write(f"WebSockets: {', '.join(urlconfs())}, on the same port.\n")

    def server_cls(  # type: ignore[override]
        self, *args: Any, **options: Any
    ) -> _Server:
        """What Django calls like a class of servers."""
        self._server = _Server(*args, **options)
        return self._server


class _Server:
    """The part of a ``socketserver`` that Django's ``run()`` uses."""

    def __init__(self, address: tuple[str, int], handler: Any, ipv6: bool = False) -> None:
        inherited = os.environ.pop(_LISTENER, None)
        if inherited is None:
            self._listener = _listen(address, ipv6)
        else:
            self._listener = socket.socket(fileno=int(inherited))
        self._listener.set_inheritable(False)  # a program that a view starts would keep the port
        self._port: OnePort | None = None
        self.server_port = self._listener.getsockname()[1]

    def set_app(self, application: Any) -> None:
        self._port = OnePort(self._listener, application, get_options(), DevelopmentLog())

    def serve_forever(self) -> None:
        if self._port is not None:
            self._port.start()
        Event().wait()

    def stop(self) -> None:
        if self._port is not None:
            self._port.stop(_PATIENCE)


def _end_main_by_signals() -> None:
    """Let SIGINT and SIGTERM end the main greenlet, not the greenlet that is running.

    A second SIGINT ends the process. Where there is a first process, that one does it: a terminal
    sends SIGINT to both.
    """
    hub = gevent.get_hub()
    main: Any = hub.parent

    again = signal.SIG_IGN if autoreload.DJANGO_AUTORELOAD_ENV in os.environ else signal.SIG_DFL

    def end(number: int, frame: Any) -> None:
        signal.signal(number, again)
        error = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(0)
        hub.loop.run_callback(main.throw, error)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)


def _listen(address: tuple[str, int], ipv6: bool) -> socket.socket:
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    return socket.create_server(address, family=family, backlog=_BACKLOG)


def _run_again_and_again(command: list[str], environ: dict[str, str]) -> int:
    with patched.lifeline(environ):
        while True:
            with subprocess.Popen(command, env=environ, close_fds=False) as process:  # noqa: S603
                status = _wait_for(process)
            if status != _RELOAD:
                return status if status >= 0 else 128 - status  # as a shell says it


def _patched(command: list[Any]) -> list[str]:
    """``python -W… -X… script …`` or ``python -W… -X… -m module …``, patched."""
    first = next(
        index for index, text in enumerate(command) if index and str(text)[:2] not in ("-W", "-X")
    )
    return [str(text) for text in (*command[:first], Path(patched.__file__), *command[first:])]


def _wait_for(process: subprocess.Popen[bytes]) -> int:
    """Pass on SIGINT and SIGTERM. A second SIGINT kills a process that the first did not end."""
    interrupted = False

    def interrupt(number: int, frame: Any) -> None:
        nonlocal interrupted
        process.send_signal(signal.SIGKILL if interrupted else number)
        interrupted = True

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
    return process.wait()
