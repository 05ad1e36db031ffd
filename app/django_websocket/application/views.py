"""Which views of a urlconf open sockets, as far as one can tell without calling them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from django.urls import URLPattern, URLResolver
from django.views import View

__all__ = ["MARK", "described", "opens_sockets", "views"]

#: An attribute of what ``@websocket`` returns; ``functools.wraps`` copies it to decorators above.
MARK = "websocket_close_instead"

#: How a view in the classic form, without a decorator, gets its socket.
_CLASSIC = frozenset({"wsgi.websocket", "websocket"})

#: How many objects are inspected for one view.
_ENOUGH = 200


def views(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Pairs (route, view) of a resolver and of those it includes."""
    for each in resolver.url_patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from views(each, route)
        elif isinstance(each, URLPattern):
            yield route, each.callback


def opens_sockets(view: Callable[..., Any]) -> bool:
    """Whether ``@websocket`` is below the decorators of ``view``, or it uses the socket itself."""
    found: list[Any] = [view]
    for each in found:  # which grows
        if hasattr(each, MARK):
            return True
        if isinstance(each, FunctionType) and _calls_one(each):
            return True
        if len(found) < _ENOUGH:
            found += [inner for inner in _inside(each) if not any(inner is one for one in found)]
    return False


def described(view: Callable[..., Any]) -> str:
    """The name of ``view`` and its module, as ``shop.views.stock``."""
    view = getattr(view, "view_class", view)
    while isinstance(view, functools.partial):
        view = view.func
    named = view if hasattr(view, "__qualname__") else type(view)
    return f"{named.__module__}.{named.__qualname__}"


def _inside(view: Any) -> Iterator[Any]:
    """What ``view`` may call, as decorators, partials and classes store it."""
    if isinstance(view, functools.partial):
        yield view.func
    if isinstance(kind := getattr(view, "view_class", None), type) and issubclass(kind, View):
        yield from (getattr(kind, name, None) for name in ("dispatch", "get"))
    if isinstance(wrapped := getattr(view, "__wrapped__", None), Callable):  # type: ignore[arg-type]
        yield wrapped
    if isinstance(view, FunctionType):
        yield from filter(callable, _cells(view))
    elif callable(view) and not isinstance(view, type):
        yield from filter(callable, getattr(view, "__dict__", {}).values())
        yield getattr(type(view).__call__, "__func__", type(view).__call__)


def _cells(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # nothing is in it yet
            continue


def _calls_one(function: FunctionType) -> bool:
    """Whether the function refers to a view of ``@websocket``, or to the socket."""
    code = function.__code__
    if _CLASSIC.intersection(code.co_names) or _CLASSIC.intersection(
        each for each in code.co_consts if isinstance(each, str)
    ):
        return True
    return any(hasattr(function.__globals__.get(name), MARK) for name in code.co_names)
