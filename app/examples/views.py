"""The index, and a page for each socket at the socket's own URL."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static

from . import bell, minutes, websockets

#: The socket's view by the name of its URL.
SOCKETS: dict[str, Callable[..., Any]] = {
    "echo": websockets.echo,
    "ping": websockets.ping,
    "ticker": websockets.ticker,
    "select": websockets.select_loop,
}


#: Larger ones, each in a module of its own.
MODULES: dict[str, ModuleType] = {"bell": bell, "minutes": minutes}

NAMES = [*SOCKETS, *MODULES]


def index(request: HttpRequest) -> HttpResponse:
    examples = [(name, inspect.getdoc(source_of(name))) for name in NAMES]
    return render(request, "examples/index.html", {"examples": examples})


def example(request: HttpRequest, name: str) -> HttpResponse:
    context: dict[str, Any] = {
        "name": name,
        "url_name": f"examples:{name}",
        "names": NAMES,
        "summary": inspect.getdoc(source_of(name)),
        "source": inspect.getsource(source_of(name)),
    }
    if name in MODULES:
        context["form"] = MODULES[name].form()
    return render(request, f"examples/{name}.html", context)


def source_of(name: str) -> Any:
    return SOCKETS.get(name) or MODULES[name]


def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask here where a page names no icon, as the admin's do not."""
    return redirect(static("examples/icon.svg"))
