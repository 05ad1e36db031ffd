"""The handlers of a view: by event, and by channel."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from inspect import Parameter
from typing import Any, NamedTuple, get_type_hints

from django.http import HttpRequest

from .payloads import Convert, converter

__all__ = ["ChannelOf", "Handler", "Handlers", "Mark", "marked"]

#: The name of a channel, with the arguments of the URL in braces; or a function of the request.
ChannelOf = str | Callable[[HttpRequest], str]

#: The attribute of a method with its marks.
_ATTRIBUTE = "websocket_events"


class Handler(NamedTuple):
    """A function for an event, the permissions that it needs, and what makes its payload."""

    function: Callable[..., Any]
    permissions: tuple[str, ...]
    convert: Convert


class Mark(NamedTuple):
    """What a decorator has said about a method: the event's name or the channel."""

    event: str | None = None
    permissions: tuple[str, ...] = ()
    channel: ChannelOf | None = None


def marked(function: Callable[..., Any], mark: Mark) -> None:
    """Remember the mark on the function, for :meth:`Handlers.of_class`."""
    vars(function).setdefault(_ATTRIBUTE, []).append(mark)


class Handlers:
    """``before``: how many arguments a handler gets before its payload."""

    def __init__(self, before: int) -> None:
        self._before = before
        self.events: dict[str, Handler] = {}
        self.channels: list[tuple[ChannelOf, Callable[..., Any]]] = []

    @classmethod
    def of_class(cls, view: type[Any]) -> Handlers:
        """The marked methods of a class, inherited ones included."""
        handlers = cls(before=1)
        for name in dir(view):
            method = inspect.getattr_static(view, name)
            for mark in _marks(view, name):
                if mark.channel is not None:
                    handlers.add_channel(mark.channel, method)
                else:
                    handlers.add_event(mark.event or name, method, mark.permissions)
        return handlers

    def add_event(
        self, name: str, function: Callable[..., Any], permissions: Collection[str] = ()
    ) -> None:
        """Raises ``TypeError`` for a function that cannot be one, ``ValueError`` for a second."""
        if name.startswith("ws."):
            raise ValueError(f"names of events that begin with 'ws.' are reserved, found {name!r}")
        if name in self.events:
            raise ValueError(f"the event {name!r} already has a handler")
        convert = converter(self._annotation(function))
        self.events[name] = Handler(function, tuple(permissions), convert)

    def add_channel(self, channel: ChannelOf, function: Callable[..., Any]) -> None:
        """Raises ``TypeError`` for a function that cannot be one, ``ValueError`` for a second."""
        if any(channel == other for other, _ in self.channels):
            raise ValueError(f"the channel {channel!r} already has a handler")
        self._annotation(function)
        self.channels.append((channel, function))

    def _annotation(self, function: Callable[..., Any]) -> Any:
        """The annotation of the payload, or Any."""
        parameters = [*inspect.signature(function).parameters.values()]
        positional = [
            parameter
            for parameter in parameters
            if parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        ]
        if len(positional) > self._before:
            return _resolved(function, positional[self._before].annotation)
        if any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters):
            return Any
        expected = "(self, payload)" if self._before == 1 else "(request, websocket, payload)"
        raise TypeError(f"expected {function.__qualname__}{expected}, found too few parameters")


def _marks(view: type[Any], name: str) -> list[Mark]:
    """The marks of a method. One that overrides it needs none of its own."""
    for each in view.__mro__:
        found = getattr(vars(each).get(name), "__dict__", {}).get(_ATTRIBUTE)
        if found:
            return list(found)
    return []


def _resolved(function: Callable[..., Any], annotation: Any) -> Any:
    """What an annotation stands for, if it is a text. Others of the function may stay unknown."""
    if annotation is Parameter.empty:
        return Any
    holder = type("Payload", (), {"__annotations__": {"payload": annotation}})
    known = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return get_type_hints(holder, globalns=known)["payload"]
    except NameError as error:
        raise TypeError(
            f"{function.__qualname__} names a payload that is not there yet: {error}; import or "
            "define it above the function, outside of TYPE_CHECKING"
        ) from error
