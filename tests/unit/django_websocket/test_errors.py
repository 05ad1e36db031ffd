import inspect
import re
from types import SimpleNamespace

import pytest
from geventwebsocket.exceptions import WebSocketError

from django_websocket import errors


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    parents = {}
    above = {}
    for line in errors.__doc__.splitlines():
        if found := re.match(r"    ([│ ]*(?:[├└]── )?)([A-Z]\w+)", line):
            depth = len(found[1]) // 4
            above[depth] = found[2]
            parents[found[2]] = above.get(depth - 1)
    assert sorted(parents) == sorted(errors.__all__)
    for name, parent in parents.items():
        assert issubclass(getattr(errors, name), getattr(errors, parent or "WebSocketException"))
        assert getattr(errors, name).__bases__[0].__name__ == (parent or "Exception")


def test_what_catches_gevent_websockets_error_catches_a_closed_connection():
    with pytest.raises(WebSocketError):
        raise errors.ConnectionClosed(1001, "going away")


def test_a_closed_connection_says_how():
    error = errors.ConnectionClosed(4000, "enough")
    assert (error.code, error.reason) == (4000, "enough")
    assert str(error) == "the WebSocket is closed (code 4000: enough)"
    closed = SimpleNamespace(close_code=4000, close_reason="enough")
    assert str(errors.ConnectionClosed.of(closed)) == str(error)
    unknown = SimpleNamespace(close_code=None, close_reason="")
    assert str(errors.ConnectionClosed.of(unknown)) == str(errors.ConnectionClosed())
    assert str(errors.ConnectionClosed()) == "the WebSocket is closed (code 1006)"


def test_a_missing_worker_is_named_with_its_option():
    message = str(errors.UnsupportedByWorker("subscribe()"))
    assert message.startswith("subscribe() needs ")
    assert message.endswith("--worker-class django_websocket.worker.WebSocketWorker")


@pytest.mark.parametrize("name", errors.__all__)
def test_each_is_explained(name):
    assert inspect.getdoc(getattr(errors, name))
