"""``manage.py websockets check`` through nginx."""

import io

import pytest
from django.core.management import call_command

from django_websocket.management.hops import Visitor, hops
from django_websocket.management.reach import HopFailed


def failure(url, **visitor):
    with pytest.raises(HopFailed) as caught:
        list(hops(url, Visitor(**visitor), days=0))
    return str(caught.value)


def test_each_hop_answers(stack, settings):
    """At the first fixed path of WEBSOCKET_URLCONF."""
    settings.WEBSOCKET_SERVER = stack.url[:-1].replace("http", "ws")
    output = io.StringIO()
    call_command("websockets", "check", stdout=output)
    *_, opened, ping = output.getvalue().splitlines()
    assert opened.startswith("nginx answers 101")
    assert opened.endswith(f"has let in the origin {stack.url[:-1]}.")
    assert ping.startswith("A ping is answered in ")


def test_a_foreign_origin_is_told_from_a_visitor_without_the_permission(stack):
    said = failure(f"{stack.url}echo/", origin="https://evil.example")
    assert said.startswith("nginx answers 403 Forbidden. It refuses pages of https://evil.example")


def test_a_path_without_a_socket(stack):
    assert "404 Not Found. There is no socket at this path" in failure(f"{stack.url}nowhere/")
