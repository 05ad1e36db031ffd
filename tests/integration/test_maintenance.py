"""Closed for maintenance, and open again; what users have uploaded."""

import pytest

from support.raw_http import HANDSHAKE, Connection, client_frame, compose, get


@pytest.fixture
def flag(tmp_path):
    return tmp_path / "maintenance"


@pytest.fixture
def port(nginx, flag):
    return nginx(changes={"$stack_maintenance maintenance;": f"$stack_maintenance {flag};"}).port


@pytest.mark.parametrize("path", ["/probe/", "/static/examples/site.css", "/no/such/page/"])
def test_a_page_says_when_to_come_again(port, flag, path):
    flag.touch()
    response = get(port, path)
    assert response.status == 503
    assert response.headers["Retry-After"] == "60"
    assert "Closed for maintenance" in response.body.decode()


def test_a_handshake_is_refused_and_an_open_socket_goes_on(port, flag):
    with Connection(port) as connection:
        connection.send(compose("/probe/", HANDSHAKE))
        assert connection.response().status == 101
        connection.frame()
        flag.touch()
        assert get(port, "/probe/", HANDSHAKE).status == 503
        connection.send(client_frame(b"still here"))
        assert connection.frame() == b"still here"


def test_open_sockets_are_asked_to_come_back_later(stack):
    """The shipped gunicorns and nginx, and the file of a checkout."""
    flag = stack.state / "maintenance"
    with Connection(stack.port) as connection:
        connection.send(compose("/probe/", HANDSHAKE))
        assert connection.response().status == 101
        connection.frame()
        flag.touch()
        try:
            assert connection.frame() == (1013).to_bytes(2, "big") + b"closed for maintenance"
            assert get(stack.port, "/probe/", HANDSHAKE).status == 503
        finally:
            flag.unlink()
    assert get(stack.port, "/probe/", HANDSHAKE).status == 101


def test_it_is_open_again_without_a_reload(port, flag):
    flag.touch()
    assert get(port, "/probe/").status == 503
    flag.unlink()
    assert get(port, "/probe/").status == 200
    assert get(port, "/probe/", HANDSHAKE).status == 101


def test_who_is_let_in_sees_the_site(nginx, flag):
    flag.touch()
    port = nginx(
        changes={
            "$stack_maintenance maintenance;": f"$stack_maintenance {flag};",
            "geo $stack_is_let_in {": "geo $stack_is_let_in {\n    127.0.0.1 1;",
        }
    ).port
    assert get(port, "/probe/").status == 200
    assert get(port, "/probe/", HANDSHAKE).status == 101


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("cat.png", None),
        ("cat.pdf", None),
        ("page.html", "attachment"),
        ("Drawing.SVG", "attachment"),
        ("script.js", "attachment"),
    ],
)
def test_an_upload_that_a_browser_would_run_is_downloaded(nginx, tmp_path, name, disposition):
    media = tmp_path / "media"
    media.mkdir()
    (media / name).write_text("<script>alert(1)</script>")
    location = f"location /media/ {{ alias {media}/; include stack/snippets/media.conf; }}"
    response = get(nginx(extra={"stack/local/files.conf": location}).port, f"/media/{name}")
    assert response.status == 200
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers.get("Content-Disposition") == disposition
    sandboxed = "sandbox" in response.headers.get("Content-Security-Policy", "")
    assert sandboxed == (disposition is not None)
