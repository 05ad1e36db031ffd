"""Private names of other libraries that this one cannot do without.

Each has a test of its own here, so that a new release that renames one fails by that name, and the
upper bounds in pyproject.toml can be raised with care.
"""

import asyncio.events
import importlib
import inspect
import io
import socket
import ssl
import tomllib

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.backends.postgresql import base as postgresql
from django.test import TestCase
from django.utils.functional import LazyObject, empty
from gevent import pywsgi
from gevent import socket as gevent_socket
from packaging.requirements import Requirement
from redis.connection import Connection
from websockets.protocol import State
from websockets.server import ServerProtocol

from django_websocket.connection.websocket import WebSocket
from django_websocket.pubsub import Message
from django_websocket.server.requesthead import read_head
from support.private_names import foreign_names
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
    body = pywsgi.Input(io.BufferedReader(io.BytesIO(b"body and more")), 4)
    body._discard()
    assert body.rfile.read() == b" and more"


def pywsgi_headers():
    class Handler(pywsgi.WSGIHandler):
        def _headers(self):
            yield "HTTP_HOST", "found"

    server = pywsgi.WSGIServer(("127.0.0.1", 0))
    server.init_socket()
    try:
        handler = Handler(None, ("127.0.0.1", 80), server, rfile=object())
        handler.request_version, handler.command, handler.path = "HTTP/1.1", "GET", "/"
        handler.headers = read_head(io.BufferedReader(io.BytesIO(b"\r\n")), 100, 8190)
        assert handler.get_environ()["HTTP_HOST"] == "found"
    finally:
        server.close()


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


def django_from_testcase():
    assert transaction.Atomic(None, savepoint=True, durable=False)._from_testcase is False
    assert "_from_testcase = True" in inspect.getsource(TestCase._enter_atomics)


def asyncio_running_loop():
    assert callable(asyncio.events._set_running_loop)


#: Where each is used, and what holds it. The reason stands beside the line that uses it.
USED = {
    ("auth/review.py", "_session_cache"): django_session_cache,
    ("auth/review.py", "_wrapped"): django_wrapped,
    ("connection/transport.py", "_sock"): gevent_sock,
    ("connection/transport.py", "_sslobj"): gevent_sslobj,
    ("database.py", "_configure_connection"): django_configure_connection,
    ("patches/eventloops.py", "_set_running_loop"): asyncio_running_loop,
    ("pubsub/commits.py", "_from_testcase"): django_from_testcase,
    ("pubsub/brokers/redis/subscriber.py", "_sock"): redis_sock,
    ("server/handler.py", "_discard"): pywsgi_discard,
    ("server/handler.py", "_headers"): pywsgi_headers,
}

#: Documented, in spite of the underscore: Django's, the standard library's, and gevent's hook for
#: subclasses.
PUBLIC = {
    "_current_frames",
    "_default_manager",
    "_handle_client_error",
    "_meta",
    "_replace",
    "_thread",
}

#: What objects of the library's own are called where another class uses their private names.
HOLDERS = {
    "message": Message,
    "self._owner": WebSocket,
    "self._server": WebSocket,
    "self._socket": WebSocket,
    "self._websocket": WebSocket,
    "self.websocket": WebSocket,
    "socket": WebSocket,
    "super()": WebSocket,
    "super(RemoteWebSocket, self)": WebSocket,
    "websocket": WebSocket,
}


@pytest.mark.parametrize(("place", "check"), USED.items(), ids=[" ".join(place) for place in USED])
def test_it_is_still_there(place, check):
    check()


@pytest.mark.parametrize("name", ["Django", "gevent", "redis", "websockets"])
def test_there_is_an_upper_bound_where_one_is_used(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = [*project["dependencies"], *project["optional-dependencies"]["redis"]]
    (found,) = (each for each in map(Requirement, required) if each.name == name)
    assert "<" in {each.operator for each in found.specifier}


def test_websockets_parser_is_still_there():
    """It has no underscore, and no documentation either (rfc6455/protocol.py)."""
    protocol = ServerProtocol(state=State.OPEN)
    assert inspect.isgenerator(protocol.parser)
    assert protocol.parser_exc is None
    assert protocol.current_size is None


def test_the_table_has_each_private_name_that_is_used():
    found = foreign_names(LIBRARY, HOLDERS)
    assert {place for place in found if place[1] not in PUBLIC} == set(USED)
    assert {name for _, name in found} >= PUBLIC, "a name here that nothing uses: take it out"


def test_no_example_teaches_one():
    taught = set()
    for folder in ("chat", "examples", "project"):
        taught |= foreign_names(ROOT / "app" / folder, {})
    assert {name for _, name in taught} <= {
        "_default_manager",
        "_meta",
        "_state",
    }  # Django's, documented


SOURCE = """
from foreign import Foreign, _connect
class Base(list):
    _declared = 0
    def __init__(self):
        self._given = 1
class Mine(Base, Foreign):
    def _overridden(self):
        return self._declared + self._given + self._inherited + self._nowhere
    def uses(self, mine, theirs):
        theirs._given
        mine._given
        mine._sock
        getattr(theirs, "_by_text")
        theirs.public
"""

FOREIGN = """
_connect = 1
class Foreign:
    def _overridden(self):
        self._inherited = 1
"""


def test_what_is_found_where_the_package_has_a_name_of_its_own_too(tmp_path, monkeypatch):
    package = tmp_path / "sample_package"
    package.mkdir()
    (tmp_path / "foreign.py").write_text(FOREIGN)
    (package / "module.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("sample_package.module")
    found = foreign_names(package, {"mine": module.Mine})
    assert {file for file, _ in found} == {"module.py"}
    assert sorted(name for _, name in found) == [
        "_by_text", "_connect", "_given", "_inherited", "_nowhere", "_overridden", "_sock",
    ]  # fmt: skip
