"""Private names of other libraries that this one cannot do without.

Each has a test of its own here, so that a new release that renames one fails by that name, and the
upper bounds in pyproject.toml can be raised with care.
"""

import ast
import asyncio.events
import inspect
import socket
import ssl

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.db.backends.postgresql import base as postgresql
from django.utils.functional import LazyObject, empty
from gevent import pywsgi
from gevent import socket as gevent_socket
from redis.connection import Connection
from websockets.protocol import State
from websockets.server import ServerProtocol

from support.server import ROOT

LIBRARY = ROOT / "app/django_websocket"


def gevent_sock():
    with gevent_socket.socket() as sock:
        assert isinstance(sock._sock, socket.socket.__mro__[1])


def gevent_sslobj():
    ours, theirs = gevent_socket.socketpair()
    with ours, theirs:
        context = ssl.create_default_context()
        with context.wrap_socket(
            ours, server_hostname="x", do_handshake_on_connect=False
        ) as encrypted:
            assert {"read", "write", "shutdown"} <= set(dir(encrypted._sslobj))


def pywsgi_discard():
    assert callable(pywsgi.Input._discard)
    assert callable(pywsgi.WSGIHandler._headers)
    assert callable(pywsgi.WSGIHandler._send_error_response_if_possible)


def websockets_parser():
    protocol = ServerProtocol(state=State.OPEN)
    assert inspect.isgenerator(protocol.parser)
    assert protocol.parser_exc is None
    assert protocol.current_size is None


def redis_sock():
    assert Connection()._sock is None


def django_wrapped():
    class Lazy(LazyObject):
        def _setup(self):
            self._wrapped = "found"

    lazy = Lazy()
    assert lazy._wrapped is empty
    assert str(lazy) == "found"


def django_session_cache():
    session = SessionBase()
    session._session_cache = {"a": 1}
    assert session["a"] == 1


def django_configure_connection():
    assert callable(postgresql.DatabaseWrapper._configure_connection)


def asyncio_running_loop():
    assert callable(asyncio.events._set_running_loop)


#: Where each is used, and what holds it.
USED = {
    ("connection/transport.py", "_sock"): gevent_sock,
    ("connection/transport.py", "_sslobj"): gevent_sslobj,
    ("server/handler.py", "_discard"): pywsgi_discard,
    ("pubsub/brokers/redis/single.py", "_sock"): redis_sock,
    ("auth/review.py", "_session_cache"): django_session_cache,
    ("auth/review.py", "_wrapped"): django_wrapped,
    ("database.py", "_configure_connection"): django_configure_connection,
    ("patches/eventloops.py", "_set_running_loop"): asyncio_running_loop,
    ("rfc6455/protocol.py", "parser"): websockets_parser,
}

#: Documented, in spite of the underscore: Django's, the standard library's.
PUBLIC = {"_default_manager", "_meta", "_replace", "_current_frames", "_exit"}


@pytest.mark.parametrize(("place", "check"), USED.items(), ids=[" ".join(place) for place in USED])
def test_it_is_still_there(place, check):
    check()


def test_no_other_private_name_is_used():
    own = set()
    used = set()
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                base = node.value
                if isinstance(base, ast.Name) and base.id in ("self", "cls"):
                    own.add(node.attr)
                elif not node.attr.startswith("__"):
                    used.add((path.relative_to(LIBRARY).as_posix(), node.attr))
            elif isinstance(node, ast.AnnAssign | ast.Assign):
                for target in getattr(node, "targets", None) or [node.target]:
                    if isinstance(target, ast.Name):
                        own.add(target.id)
    foreign = {(path, name) for path, name in used if name not in own | PUBLIC}
    assert foreign <= set(USED)
