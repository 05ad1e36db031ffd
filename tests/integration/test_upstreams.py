"""The proxy contract, rows 38 to 41: gunicorns that are down, dying or gone."""

import socket
import threading

import pytest

from support.ports import free_port
from support.raw_http import HANDSHAKE, get

UPSTREAMS = ("http-1", "http-2", "websocket-1", "websocket-2")
REQUESTS = 12


@pytest.fixture(params=["no such socket", "stale socket", "closed port"])
def dead(request, tmp_path):
    """The address of a gunicorn that is not there, in every way it can be not there."""
    if request.param == "closed port":
        return f"127.0.0.1:{free_port()}"
    path = tmp_path / "dead.sock"
    if request.param == "stale socket":
        with socket.socket(socket.AF_UNIX) as former:
            former.bind(str(path))
    return f"unix:{path}"


def instead(address: str, *programs: str) -> dict[str, str]:
    return {f"unix:run/{program}.sock": address for program in programs}


def test_one_of_two_down_is_seen_by_nobody(nginx, dead):
    port = nginx(changes=instead(dead, "http-1", "websocket-2")).port
    assert {get(port, "/probe/").status for _ in range(REQUESTS)} == {200}
    assert {get(port, "/probe/", HANDSHAKE).status for _ in range(REQUESTS)} == {101}


def test_a_post_finds_the_other_as_well_when_it_was_not_sent_yet(nginx, dead):
    port = nginx(changes=instead(dead, "http-1")).port
    assert {
        get(port, "/probe/", (("Content-Length", "4"),), method="POST", body=b"body").status
        for _ in range(REQUESTS)
    } == {200}


@pytest.mark.parametrize("headers", [(), HANDSHAKE], ids=["page", "socket"])
def test_all_down_gives_our_page_and_says_when_to_come_again(nginx, dead, headers):
    response = get(nginx(changes=instead(dead, *UPSTREAMS)).port, "/probe/", headers)
    assert response.status == 502
    assert response.headers["Retry-After"] == "5"
    assert "Back in a moment" in response.body.decode()


def test_the_page_replaces_no_answer_of_the_application(stack):
    assert get(stack.port, "/no/such/page/").status == 404


class DyingUpstream:
    """Reads a request and hangs up, as a gunicorn that is killed in the middle of it."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if not connection.recv(65536):
                    return
                self.requests += 1

    def close(self) -> None:
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join()
        self._listener.close()


@pytest.fixture
def dying():
    upstream = DyingUpstream()
    yield upstream
    upstream.close()


def test_a_get_that_a_dying_gunicorn_had_is_answered_by_the_other(nginx, dying):
    port = nginx(changes=instead(dying.address, "http-1")).port
    assert {get(port, "/probe/").status for _ in range(REQUESTS)} == {200}
    assert dying.requests > 0


def test_a_post_is_never_done_twice(nginx, dying):
    port = nginx(changes=instead(dying.address, "http-1")).port
    lengths = (("Content-Length", "0"),)
    statuses = [get(port, "/probe/", lengths, method="POST").status for _ in range(REQUESTS)]
    assert set(statuses) == {200, 502}
    assert statuses.count(502) == dying.requests
