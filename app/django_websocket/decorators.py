"""Decorators that turn a plain Django view into a socket's view."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Collection, Hashable
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import (
    Any,
    Concatenate,
    Literal,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from geventwebsocket.exceptions import WebSocketError

from .application.misrouted import upgrade_required
from .application.requests import Socket, WebSocketRequest, WebSocketResponse
from .auth.sessions import follow_session, forget_session
from .connection.websocket import WebSocket
from .errors import BrokerError, InvalidJSON, TooManyChannels, UnsupportedByWorker
from .limits import refuse_user
from .options import OVERRIDABLE, known_settings, setting_name
from .options import Options as Settings
from .patches.logs import plain

__all__ = ["check_names", "require_sync", "websocket", "websocket_loop"]

logger = logging.getLogger("django_websocket")

#: A view before and after it is decorated, as typed here.
AnyView = Callable[..., Any]
AnyHttpView = Callable[..., HttpResponseBase]

# The same for type checkers. The request may be of your own class.
RequestT = TypeVar("RequestT", bound=HttpRequest)
P = ParamSpec("P")
View: TypeAlias = Callable[Concatenate[RequestT, WebSocket, P], None]
MessageView: TypeAlias = Callable[Concatenate[RequestT, WebSocket, str | bytes, P], None]
HttpView: TypeAlias = Callable[Concatenate[RequestT, P], HttpResponseBase]


class Decorator(Protocol):
    """What :func:`websocket` returns where only options are given."""

    def __call__(self, view: View[RequestT, P], /) -> HttpView[RequestT, P]:
        """The decorated view."""


class LoopDecorator(Protocol):
    """What :func:`websocket_loop` returns where only options are given."""

    def __call__(self, view: MessageView[RequestT, P], /) -> HttpView[RequestT, P]:
        """The decorated view."""


class Options(TypedDict, total=False):
    """The options of both. Not a ``Sequence[str]``, as a single ``str`` is one."""

    permission: str | list[str] | tuple[str, ...]
    subprotocols: list[str] | tuple[str, ...]
    close_instead: bool
    receive_rate: float | None
    receive_byte_rate: float | None
    receive_burst: float
    receive_policy: Literal["delay", "disconnect"]
    max_channels: int | None
    max_sockets_per_user: int | None


@overload
def websocket(view: View[RequestT, P], **options: Unpack[Options]) -> HttpView[RequestT, P]: ...


@overload
def websocket(view: None = None, **options: Unpack[Options]) -> Decorator: ...


def websocket(
    view: AnyView | None = None,
    *,
    permission: str | Collection[str] = (),
    subprotocols: Collection[str] = (),
    close_instead: bool = False,
    **limits: Any,
) -> Any:
    """Accept the handshake and call ``view(request, websocket, *args, **kwargs)``.

    The view gets the open socket; when it returns, the socket closes with 1000. Decorators above
    this one, and the middleware, see an ordinary request and the response 101, to which they may
    add cookies. Any other response that they return is sent as HTTP. The view runs after them.

    ``permission``
        Such as ``"chat.view_room"``, or several. A user without it is refused with 403. If it is
        taken away later, the socket closes with 4403, in any process.
    ``subprotocols``
        The names the view speaks, best first. The first that the client offered is chosen
        (RFC 6455 section 4.2.2); a client that offered none of them gets none.
    ``close_instead``
        Refuse a client with a close code (4401, 4403, 4404, 4429) instead of an HTTP status,
        which browsers hide from the page.
    ``receive_rate``, ``receive_byte_rate``, ``receive_burst``, ``receive_policy``, ``max_channels``
        Instead of the setting of this name, such as ``WEBSOCKET_RECEIVE_RATE``. The first four
        raise :class:`~django_websocket.errors.UnsupportedByWorker` under another worker than ours.
    ``max_sockets_per_user``
        How many sockets of this view one user may have in one process.
    """

    def decorate(view: AnyView) -> AnyHttpView:
        return _websocket(
            view,
            permissions=tuple(permissions),
            subprotocols=tuple(subprotocols),
            close_instead=close_instead,
            limits=limits,
        )

    permissions = (permission,) if isinstance(permission, str) else permission
    check_names("permission", "a name or several", permissions)
    check_names("subprotocols", "a list of names", subprotocols)
    if not isinstance(close_instead, bool):
        raise TypeError(f"expected close_instead=True or False, found {close_instead!r}")
    _check_limits(limits)
    return decorate if view is None else decorate(view)


@overload
def websocket_loop(
    view: MessageView[RequestT, P], **options: Unpack[Options]
) -> HttpView[RequestT, P]: ...


@overload
def websocket_loop(view: None = None, **options: Unpack[Options]) -> LoopDecorator: ...


def websocket_loop(view: AnyView | None = None, **options: Unpack[Options]) -> Any:
    """Call ``view(request, websocket, message, *args, **kwargs)`` for each incoming message.

    Takes the options of :func:`websocket`.
    """

    def decorate(view: AnyView) -> AnyHttpView:
        require_sync(view)

        @functools.wraps(view)
        def loop(request: HttpRequest, websocket: Socket, *args: Any, **kwargs: Any) -> None:
            for message in websocket:
                view(request, websocket, message, *args, **kwargs)

        return websocket(loop, **options)

    return decorate if view is None else decorate(view)


def _websocket(
    view: AnyView,
    *,
    permissions: tuple[str, ...],
    subprotocols: tuple[str, ...],
    close_instead: bool,
    limits: dict[str, Any],
) -> AnyHttpView:
    require_sync(view)
    options_with_limits = _Overrides(limits)
    rates = {name for name in limits if name.startswith("receive_")}

    @functools.wraps(view)
    def wrapper(request: WebSocketRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        socket = getattr(request, "websocket", None)
        if socket is None:
            return upgrade_required(request)
        _require(permissions, request)
        refusal = refuse_user(request, socket, counted, limits.get("max_sockets_per_user"))
        if refusal is not None:
            return refusal
        if isinstance(socket, WebSocket):
            if limits:
                socket._options = options_with_limits(socket._options)
        elif rates:
            raise UnsupportedByWorker(f"@websocket({min(rates)}=…)")
        subprotocol = _choose(subprotocols, socket.offered_subprotocols)
        conversation = _Conversation(view, request, socket, permissions, args, kwargs)
        return WebSocketResponse(request, conversation.run, subprotocol)

    wrapper.websocket_close_instead = close_instead  # type: ignore[attr-defined]
    counted = _counted_as(view, wrapper)
    return wrapper


def _counted_as(view: AnyView, wrapper: AnyHttpView) -> Hashable:
    """What ``max_sockets_per_user`` counts. Each socket of a class is a method's of its own object,
    and all of them are one view.
    """
    inner = getattr(view, "__wrapped__", view)  # @websocket_loop's
    owner = getattr(view, "__self__", getattr(inner, "__self__", None))
    return wrapper if owner is None else (type(owner), inner.__name__)


def check_names(option: str, expected: str, names: Any) -> None:
    """Raises ``TypeError`` or ``ValueError`` unless these are non-empty names."""
    listed = isinstance(names, Collection) and not isinstance(names, str)
    if not (listed and all(isinstance(name, str) for name in names)):
        raise TypeError(f"expected {option}={expected}, each a str, found {names!r}")
    if not all(names):
        raise ValueError(f"expected {option}={expected}, none of them empty, found {names!r}")


def _check_limits(limits: dict[str, Any]) -> None:
    """Raises ``TypeError`` or ``ValueError`` unless settings of these names may have the values."""
    settings = known_settings()
    for option, value in limits.items():
        if option not in OVERRIDABLE:
            raise TypeError(f"@websocket() got an unexpected keyword argument {option!r}")
        problem = settings[setting_name(option)].metadata["rule"](value)
        if problem is not None:
            raise ValueError(f"{option}: {problem}, found {value!r}")


class _Overrides:
    """Options with some replaced: one object for all sockets of a view."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._last: tuple[Settings, Settings] | None = None

    def __call__(self, options: Settings) -> Settings:
        last = self._last
        if last is None or last[0] is not options:
            last = self._last = options, dataclasses.replace(options, **self._values)
        return last[1]


def require_sync(view: AnyView) -> None:
    """Raises ``TypeError`` for what is no plain function."""
    if not callable(view):
        raise TypeError(f"expected a view, found {view!r}: pass options by name")
    if iscoroutinefunction(view) or isasyncgenfunction(view):
        raise TypeError(
            f"{view.__qualname__} is a coroutine function, but socket views are plain functions, "
            "which gevent runs concurrently: write def instead of async def"
        )


def _require(permissions: tuple[str, ...], request: HttpRequest) -> None:
    if not permissions:
        return
    if not hasattr(request, "user"):
        raise ImproperlyConfigured(
            "@websocket(permission=…) needs request.user: add "
            "django.contrib.auth.middleware.AuthenticationMiddleware to MIDDLEWARE"
        )
    if not request.user.has_perms(permissions):
        raise PermissionDenied(f"This socket needs {', '.join(permissions)}.")


def _choose(ours: tuple[str, ...], offered: tuple[str, ...]) -> str | None:
    for name in ours:
        if name in offered:
            return name
    return None


class _Conversation:
    """A view and its socket. Every open socket keeps one: it takes less memory than a closure."""

    __slots__ = ("_args", "_kwargs", "_permissions", "_request", "_socket", "_view")

    def __init__(
        self,
        view: AnyView,
        request: HttpRequest,
        socket: Socket,
        permissions: tuple[str, ...],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._view = view
        self._request = request
        self._socket = socket
        self._permissions = permissions
        self._args = args
        self._kwargs = kwargs

    def run(self) -> None:
        try:
            follow_session(self._request, self._socket, self._permissions)
            _run(self._view, self._request, self._socket, self._args, self._kwargs)
        finally:
            forget_session(self._socket)


def _run(
    view: AnyView,
    request: HttpRequest,
    socket: Socket,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    session = getattr(request, "session", None)
    if session is not None:
        session.modified = False  # the middleware has saved it
    try:
        result = view(request, socket, *args, **kwargs)
    except WebSocketError:
        # A client may leave at any time; a view that was sending need not handle that.
        if not socket.closed:
            raise
        return
    except BrokerError as error:
        logger.warning("Closing %s: %s", plain(request.path), error)
        socket.close(1013, "try again later")
        return
    except InvalidJSON as error:
        logger.warning("Closing %s: the client sent invalid JSON: %s", plain(request.path), error)
        socket.close(1007, "expected JSON")
        return
    except TooManyChannels as error:
        logger.warning("Closing %s: %s", plain(request.path), error)
        socket.close(1008, "too many channels")
        return
    if session is not None and session.modified:
        logger.warning(
            "%s changed the session and did not save it: call request.session.save() in the view",
            plain(request.path),
        )
    if result is not None:
        raise TypeError(
            f"{view.__qualname__} returned {type(result).__name__} after its socket was accepted; "
            "return nothing, close with websocket.close(code), or refuse before the upgrade in a "
            "decorator above @websocket"
        )
