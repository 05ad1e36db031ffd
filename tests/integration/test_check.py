"""``manage.py websockets check`` through nginx."""

import pytest

from django_websocket.management.hops import HopFailed, Visitor, hops


def failure(url, **visitor):
    with pytest.raises(HopFailed) as caught:
        list(hops(url, Visitor(**visitor), days=0))
    return str(caught.value)


def test_each_hop_answers(stack):
    *_, opened, ping = hops(f"{stack.url}echo/", Visitor(), days=0)
    assert opened.startswith("nginx answers 101")
    assert opened.endswith(f"has let in the origin {stack.url[:-1]}.")
    assert ping.startswith("A ping is answered in ")


def test_a_foreign_origin_is_told_from_a_visitor_without_the_permission(stack):
    said = failure(f"{stack.url}echo/", origin="https://evil.example")
    assert said.startswith("nginx answers 403 Forbidden. It refuses pages of https://evil.example")


def test_a_path_without_a_socket(stack):
    assert "404 Not Found. There is no socket at this path" in failure(f"{stack.url}nowhere/")
