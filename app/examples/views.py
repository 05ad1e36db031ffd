"""The index, and a page for each socket at the socket's own URL."""

import inspect
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static

from . import websockets

#: The socket's view by the name of its URL.
SOCKETS: dict[str, Callable[..., Any]] = {
    "echo": websockets.echo,
    "ping": websockets.ping,
    "ticker": websockets.ticker,
    "select": websockets.select_loop,
}


def index(request: HttpRequest) -> HttpResponse:
    examples = [(name, inspect.getdoc(view)) for name, view in SOCKETS.items()]
    return render(request, "examples/index.html", {"examples": examples})


def example(request: HttpRequest, name: str) -> HttpResponse:
    view = SOCKETS[name]
    context = {
        "name": name,
        "url_name": f"examples:{name}",
        "names": list(SOCKETS),
        "summary": inspect.getdoc(view),
        "source": inspect.getsource(view),
    }
    return render(request, f"examples/{name}.html", context)


def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask here where a page names no icon, as the admin's do not."""
    return redirect(static("examples/icon.svg"))
