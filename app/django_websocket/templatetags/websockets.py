"""``{% load websockets %}``"""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.template.context import Context

from django_websocket.urlresolvers import reverse_websocket

register = template.Library()


@register.simple_tag(takes_context=True)
def websocket_url(context: Context, viewname: str, *args: Any, **kwargs: Any) -> str:
    """``{% websocket_url 'chat' room=room.slug %}``, or with ``as url``: the URL of a socket.

    See :func:`~django_websocket.urlresolvers.reverse_websocket`.
    """
    # As {% url %} does it: also without the context processor that adds "request".
    request: HttpRequest | None = getattr(context, "request", None) or context.get("request")
    return reverse_websocket(
        viewname, args, kwargs, request=request, current_app=_current_app(request)
    )


def _current_app(request: HttpRequest | None) -> str | None:
    """The application instance that Django's own ``{% url %}`` would use."""
    current_app: str | None = getattr(request, "current_app", None)
    if current_app is None and request is not None and request.resolver_match is not None:
        current_app = request.resolver_match.namespace
    return current_app
