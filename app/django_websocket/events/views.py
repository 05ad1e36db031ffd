"""Views that answer events: a function for each, or a method."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import (
    Any,
    ClassVar,
    Concatenate,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    Unpack,
    overload,
)

from django.http import HttpRequest, HttpResponseBase
from django.views import View

from django_websocket.application.requests import Socket
from django_websocket.application.views import MARK
from django_websocket.connection.websocket import WebSocket
from django_websocket.decorators import Options, check_names, require_sync, websocket
from django_websocket.options import OVERRIDABLE

from .chosen import Authorize, chosen_channels
from .dispatch import Dispatch, Limits
from .handlers import ChannelOf, Handlers, Mark, marked

__all__ = ["EventView", "event", "published", "websocket_events"]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])
RequestT = TypeVar("RequestT", bound=HttpRequest)

#: What runs when the socket is open, and with ``yield`` also when it has ended.
Opened: TypeAlias = Callable[Concatenate[RequestT, WebSocket, P], Iterator[None] | None]
#: A handler of an event, or of a channel.
Handling: TypeAlias = Callable[Concatenate[RequestT, WebSocket, Any, P], R]
Permission: TypeAlias = str | list[str] | tuple[str, ...]


class EventOptions(Options, total=False):
    """The options of :func:`websocket_events`."""

    rate: float | None
    max_size: int | None
    authorize: Authorize | None


class Events(Protocol[RequestT, P]):
    """A view of :func:`websocket_events`, to which handlers are added."""

    def __call__(self, request: RequestT, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        """Answer the handshake."""

    @overload
    def event(self, handler: Handling[RequestT, P, R], /) -> Handling[RequestT, P, R]: ...

    @overload
    def event(
        self, name: str | None = None, /, *, permission: Permission = ()
    ) -> Callable[[Handling[RequestT, P, R]], Handling[RequestT, P, R]]: ...

    def event(self, *args: Any, **kwargs: Any) -> Any:
        """Let the decorated function handle the event of its name, or of ``name``."""

    def published(
        self, channel: ChannelOf
    ) -> Callable[[Handling[RequestT, P, R]], Handling[RequestT, P, R]]:
        """Let the decorated function handle what is published to ``channel``."""


class EventsDecorator(Protocol):
    """What :func:`websocket_events` returns where only options are given."""

    def __call__(self, opened: Opened[RequestT, P], /) -> Events[RequestT, P]:
        """The view."""


@overload
def websocket_events(
    opened: Opened[RequestT, P], /, **options: Unpack[EventOptions]
) -> Events[RequestT, P]: ...


@overload
def websocket_events(
    opened: None = None, /, **options: Unpack[EventOptions]
) -> EventsDecorator: ...


def websocket_events(
    opened: Any = None,
    /,
    *,
    rate: float | None = None,
    max_size: int | None = None,
    authorize: Authorize | None = None,
    **options: Any,
) -> Any:
    """A view that calls a function for each event that its client sends::

        @websocket_events
        def room(request, websocket, room):              # when the socket is open
            websocket.subscribe(f"room.{room}", since=request.GET)

        @room.event                                      # await connection.request("rename", {…})
        def rename(request, websocket, form: RenameForm, room):
            Room.objects.filter(slug=room).update(title=form.cleaned_data["title"])
            return {"title": form.cleaned_data["title"]}

    The function may ``yield`` once: what follows runs when the socket has ended.

    ``@room.event``, ``@room.event("rename", permission="rooms.change_room")``
        A handler gets ``(request, websocket, payload)`` and the URL's arguments. The annotation of
        the payload is a form's class, a dataclass, a pydantic model or a ``msgspec.Struct``, which
        validates it; without one, it is a ``dict``. What the handler returns is the answer; an
        invalid form answers its errors. ``ValidationError``, ``PermissionDenied`` and ``Http404``
        are answered as errors; other exceptions are logged, and answered as ``"internal"``.
    ``@room.published("orders.{room}")``
        A handler of what is published to this channel; braces hold an argument of the URL. Or a
        function of the request, that returns the channel. It gets a :class:`Message` instead of a
        payload. What it returns is sent to the client under the message's id; None is not.
    ``rate``, ``max_size``
        How many events a second, on average over ``WEBSOCKET_RECEIVE_BURST``, and how many bytes
        each may have. More is answered as an error.

    ``authorize``
        ``authorize(request, channel)`` returns whether the user may follow the channel. With it,
        a client subscribes and unsubscribes by the events ``ws.subscribe`` and ``ws.unsubscribe``.
        The rule is asked again, with the user as the database has it, for each subscription, when
        permissions change, and after ``recheck_permissions(user)``.

    The other options are those of :func:`websocket`.
    """
    if authorize is not None and not callable(authorize):
        raise TypeError(
            f"expected authorize as a function of (request, channel), found {authorize!r}"
        )

    def decorate(opened: Callable[..., Any]) -> Any:
        require_sync(opened)
        handlers = Handlers(before=2)

        @functools.wraps(opened)
        def converse(request: HttpRequest, websocket: Socket, *args: Any, **kwargs: Any) -> None:
            def call(function: Callable[..., Any], payload: Any) -> Any:
                return function(request, websocket, payload, *args, **kwargs)

            with (
                _running(opened(request, websocket, *args, **kwargs), opened),
                chosen_channels(request, websocket, authorize) as own,
            ):
                Dispatch(handlers, limits, request, websocket, (args, kwargs), call, own).run()

        view = websocket(converse, **options)
        vars(view).update(event=_adder(handlers), published=_channel_adder(handlers))
        return view

    limits = _checked(rate, max_size)
    websocket(**options)  # its errors now
    return decorate if opened is None else decorate(opened)


@overload
def event(handler: F, /) -> F: ...


@overload
def event(name: str | None = None, /, *, permission: Permission = ()) -> Callable[[F], F]: ...


def event(handler: Any = None, /, *, permission: Permission = ()) -> Any:
    """Let a method of an :class:`EventView` handle the event of its name, or of the name given.

    A user without the permission, or one of several, gets an error.
    """

    def add(name: str | None, method: F, permissions: tuple[str, ...]) -> F:
        marked(method, Mark(event=name, permissions=permissions))
        return method

    return _decorated(handler, permission, add)


def published(channel: ChannelOf) -> Callable[[F], F]:
    """Let a method of an :class:`EventView` handle what is published to ``channel``."""

    def decorate(method: F) -> F:
        require_sync(method)
        marked(method, Mark(channel=channel))
        return method

    return decorate


class EventView(View):
    """The same as :func:`websocket_events`, by a class::

        class Room(LoginRequiredMixin, EventView):
            permission = "rooms.view_room"

            def opened(self):
                self.websocket.subscribe(f"room.{self.kwargs['room']}", since=self.request.GET)

            @event
            def rename(self, form: RenameForm):
                ...

        path("room/<slug:room>/", Room.as_view())

    The options are attributes: ``permission``, ``subprotocols``, ``close_instead``, ``rate``,
    ``max_size``, ``receive_rate`` and so on. A socket has an instance of its own.
    """

    permission: ClassVar[Permission] = ()
    subprotocols: ClassVar[list[str] | tuple[str, ...]] = ()
    close_instead: ClassVar[bool] = False
    rate: ClassVar[float | None] = None
    max_size: ClassVar[int | None] = None

    #: A method ``authorize(self, request, channel)``, if the client may choose its channels.
    authorize: Any = None

    #: The socket, once it is open.
    websocket: WebSocket

    _handlers = Handlers(before=1)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        require_sync(cls.opened)
        cls._handlers = Handlers.of_class(cls)
        _checked(cls.rate, cls.max_size)
        websocket(**_options(cls))  # its errors now

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        """The view for a urlconf."""
        view = super().as_view(**initkwargs)
        configured = cls(**initkwargs)
        _checked(configured.rate, configured.max_size)
        websocket(**_options(configured))  # its errors now
        setattr(view, MARK, initkwargs.get("close_instead", cls.close_instead))
        return view

    def opened(self) -> Iterator[None] | None:
        """Called when the socket is open. If it yields, the rest runs when the socket has ended."""
        return None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer the handshake."""
        view = websocket(self._converse, **_options(self))
        return view(request, *args, **kwargs)

    def _converse(self, request: HttpRequest, socket: WebSocket, *args: Any, **kwargs: Any) -> None:
        self.websocket = socket

        def call(function: Callable[..., Any], payload: Any) -> Any:
            return function(self, payload)

        limits = Limits(self.rate, self.max_size)
        with (
            _running(self.opened(), self.opened),
            chosen_channels(request, socket, self.authorize) as own,
        ):
            Dispatch(self._handlers, limits, request, socket, (args, kwargs), call, own).run()


def _options(view: Any) -> dict[str, Any]:
    names = ("permission", "subprotocols", "close_instead", *OVERRIDABLE)
    return {name: getattr(view, name) for name in names if hasattr(view, name)}


def _checked(rate: Any, max_size: Any) -> Limits:
    """Raises ``ValueError``."""
    for name, value, kinds in (("rate", rate, int | float), ("max_size", max_size, int)):
        right = isinstance(value, kinds) and not isinstance(value, bool) and value > 0
        if value is not None and not right:
            raise ValueError(f"expected {name}=a number greater than 0, or None, found {value!r}")
    return Limits(rate, max_size)


@contextmanager
def _running(result: Any, opened: Callable[..., Any]) -> Iterator[None]:
    """Around the loop: what ``opened`` does up to its ``yield``, and what it does after that,
    however the loop ends.
    """
    if result is not None and not inspect.isgenerator(result):
        raise TypeError(
            f"{opened.__qualname__} returned {type(result).__name__} after its socket was "
            "accepted; return nothing, close with websocket.close(code), or refuse before the "
            "upgrade in a decorator above"
        )
    steps = result or iter(())
    next(steps, None)
    try:
        yield
    finally:
        next(steps, None)


def _adder(handlers: Handlers) -> Callable[..., Any]:
    def add(name: str | None, function: F, permissions: tuple[str, ...]) -> F:
        handlers.add_event(name or function.__name__, function, permissions)
        return function

    def event(handler: Any = None, /, *, permission: Permission = ()) -> Any:
        return _decorated(handler, permission, add)

    return event


def _channel_adder(handlers: Handlers) -> Callable[..., Any]:
    def published(channel: ChannelOf) -> Callable[[F], F]:
        def decorate(function: F) -> F:
            require_sync(function)
            handlers.add_channel(channel, function)
            return function

        return decorate

    return published


def _decorated(
    handler: Any,
    permission: str | Collection[str],
    add: Callable[[str | None, Any, tuple[str, ...]], Any],
) -> Any:
    """``@event``, ``@event()``, ``@event("name")``, ``@event(permission=…)``."""
    permissions = (permission,) if isinstance(permission, str) else permission
    check_names("permission", "a name or several", permissions)
    name = handler if isinstance(handler, str) else None

    def decorate(function: Any) -> Any:
        require_sync(function)
        return add(name, function, tuple(permissions))

    return decorate if handler is None or name is not None else decorate(handler)
