"""What each hop of a handshake answers: a real worker behind TLS, and what proxies say instead."""

import re
import socket
import threading
from contextlib import contextmanager

import pytest

from django_websocket.management.hops import Visitor, hops
from django_websocket.management.reach import HopFailed


def failure(url, timeout=5.0, days=0):
    with pytest.raises(HopFailed) as caught:
        list(hops(url, Visitor(timeout=timeout), days))
    return str(caught.value)


def test_each_hop_is_a_sentence(trusted, worker):
    said = list(hops(f"{trusted}/echo", Visitor(), days=1))
    assert said[0].startswith("localhost is ")
    assert re.fullmatch(
        rf"Port {worker.address[1]} of \S+ accepts connections, in \d+ ms\.", said[-4]
    )
    certificate = r"TLSv1\.3\. The certificate of localhost is valid for 1 day more, until \S+\."
    assert re.fullmatch(certificate, said[-3])
    assert " answers 101, in " in said[-2]
    assert said[-2].endswith(f" has let in the origin {trusted.replace('wss', 'https')}.")
    assert re.fullmatch(r"A ping is answered in \d+ ms\.", said[-1])


def test_an_address_as_browsers_show_it(trusted):
    assert (
        "A ping is answered"
        in list(hops(f"{trusted}/echo".replace("wss", "https"), Visitor(), 0))[-1]
    )


def test_a_certificate_that_ends_soon_fails_after_all_else(trusted):
    found = hops(f"{trusted}/echo", Visitor(), days=14)
    said = []
    with pytest.raises(HopFailed, match="The certificate of localhost ends in 1 day: renew it"):
        said.extend(found)
    assert said[-1].startswith("A ping is answered")


def test_a_socket_that_closes_at_once(trusted):
    said = failure(f"{trusted}/closes?4401,bye")
    assert "opens the socket, and closes it with 4401 (bye)." in said


def test_a_refusal_of_the_visitor(trusted):
    said = failure(f"{trusted}/refuse")
    assert " answers 403 Forbidden. It refuses this visitor, from any page: pass --cookie" in said


@contextmanager
def proxy(answer):
    """Answers the first handshake with these bytes; None: not at all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def serve():
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                if answer is None:
                    done.wait(60)
                else:
                    sock.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/chat/"
        finally:
            done.set()
            thread.join()


HTTP = b"HTTP/1.1 %s\r\nServer: nginx\r\nContent-Length: 2\r\n%s\r\nno"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (HTTP % (b"502 Bad Gateway", b""), "nginx answers 502 Bad Gateway. The proxy does not"),
        (HTTP % (b"200 OK", b""), "That is a page"),
        (HTTP % (b"404 Not Found", b"Server: two\r\n"), "nginx answers 404 Not Found. There is no"),
        (
            HTTP % (b"302 Found", b"Location: /login/\r\n"),
            "It leads to /login/. If that is a login",
        ),
        # Which escape it is depends on the version of websockets.
        (HTTP % (b"418 I'm a\x9bpot", b""), r"9bpot. The logs of the proxy"),
        (
            HTTP % (b"101 Switching Protocols", b"Upgrade: websocket\r\nConnection: Upgrade\r\n"),
            "nginx answers 101, but not to this handshake",
        ),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "The connection ended without an answer that is HTTP"),
        (b"", "The connection ended without an answer that is HTTP"),
    ],
    ids=["502", "page", "twice", "login", "other", "not the accept", "ssh", "nothing"],
)
def test_an_answer_of_a_proxy_says_what_to_do(answer, says):
    with proxy(answer) as url:
        assert says in failure(url)


def test_a_proxy_that_does_not_answer():
    with proxy(None) as url:
        assert "The handshake is not answered within 0.2 s" in failure(url, timeout=0.2)
    with proxy(b"") as url:
        assert "does not speak TLS" in failure(url.replace("ws:", "wss:"))


def test_what_no_header_can_carry():
    with pytest.raises(HopFailed, match="Expected --cookie in printable ASCII"):
        list(hops("ws://localhost/", Visitor(cookie="sessionid=…"), days=0))
