"""The proxy contract, rows 18 to 26: what the application sees of a path, on both routes."""

from urllib.parse import unquote

import pytest

from support.raw_http import HANDSHAKE, get, page_saw, socket_saw
from support.stack import needs_our_worker

PATHS = [
    (19, "/probe/a%20b", "/probe/a b"),
    (19, "/probe/gr%C3%BC%C3%9Fe", "/probe/grüße"),
    (19, "/probe/100%25", "/probe/100%"),
    (19, "/probe/a%23b", "/probe/a#b"),
    (19, "/probe/a%3Fb", "/probe/a?b"),
    # nginx decodes a path before it rewrites it, so an encoded slash becomes one.
    (20, "/probe/a%2Fb", "/probe/a/b"),
    (21, "/probe/%2B%26%3B%3D", "/probe/+&;="),
    (21, "/probe/+&;=", "/probe/+&;="),
    (26, "/probe/?a?b=//%2F&c", "/probe/"),
]


@pytest.mark.parametrize("see", [page_saw, socket_saw])
@pytest.mark.parametrize(("row", "target", "path"), PATHS)
def test_the_application_sees_the_same_path_on_both_routes(stack, see, row, target, path):
    assert see(stack.port, target)["path"] == path


# Pages get the client's own bytes, as nginx rewrites nothing on their way.
CLEANED = [
    (22, "/probe//a//b", "/probe/a/b"),
    (23, "/probe/a/../b", "/probe/b"),
    (23, "/probe/a/%2e%2e/b", "/probe/b"),
]


@pytest.mark.parametrize(("row", "target", "path"), CLEANED)
def test_a_socket_sees_a_path_cleaned_and_a_page_sees_it_as_it_came(stack, row, target, path):
    assert socket_saw(stack.port, target)["path"] == path
    assert page_saw(stack.port, target)["path"] == unquote(target)


@pytest.mark.parametrize("see", [page_saw, socket_saw])
def test_the_query_string_arrives_byte_for_byte(stack, see):
    assert see(stack.port, "/probe/?a?b=//%2F&c")["query"] == "a?b=//%2F&c"


def test_a_newline_in_a_path_reaches_the_page(stack):
    assert page_saw(stack.port, "/probe/a%0Ab")["path"] == "/probe/a\nb"


@pytest.mark.parametrize("target", ["/probe/a%0Ab", "/probe/a%0A"])
def test_a_newline_in_a_path_does_not_change_the_route(stack, target):
    assert socket_saw(stack.port, target)["path"] == target.replace("%0A", "\n")


@pytest.mark.parametrize("target", ["/probe/a%0Ab"])
def test_the_classic_form_sends_a_handshake_with_a_newline_to_the_pages(classic, target):
    assert page_saw(classic.port, target, HANDSHAKE)["server"] == "pages"


def test_the_classic_form_loses_a_newline_at_the_end(classic):
    assert socket_saw(classic.port, "/probe/a%0A")["path"] == "/probe/a"


@needs_our_worker
def test_a_handshake_below_the_internal_prefix_is_not_special(stack):
    response = get(stack.port, "/__ws__/probe/", HANDSHAKE)
    assert response.status == 404
    assert not response.made_by_nginx


@pytest.mark.parametrize("headers", [(), HANDSHAKE], ids=["page", "socket"])
@pytest.mark.parametrize("path", ["/metrics", "/__ws__/metrics", "/metrics?x=1", "//metrics"])
def test_nobody_outside_gets_the_metrics(stack, path, headers):
    answer = get(stack.port, path, headers)
    assert answer.status >= 400
    assert b"websocket_" not in answer.body


@pytest.mark.parametrize("program", ["http-1", "websocket-1", "websocket-2"])
def test_each_instance_shows_its_metrics_inside(stack, program):
    answer = get(stack.state / "run" / f"{program}.sock", "/metrics")
    assert answer.status == 200
    assert b"websocket_channel_messages_published_total " in answer.body
