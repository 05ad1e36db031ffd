"""WebSockets for synchronous Django, served by gunicorn and gevent.

Everything that a project needs every day can be imported from here. A name is loaded when it is
first asked for (PEP 562): gunicorn imports ``django_websocket.worker``, and with it this module,
before gevent has patched the standard library and before Django is set up.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .auth.sessions import disconnect_user, recheck_permissions
    from .connection.websocket import WebSocket
    from .decorators import websocket, websocket_loop
    from .errors import (
        BrokerError,
        ChannelError,
        ConnectionClosed,
        InvalidJSON,
        TooManyChannels,
        UnsupportedByBroker,
        UnsupportedByWorker,
        WebSocketException,
    )
    from .events.requests import Request, parse_request
    from .events.views import EventView, event, published, websocket_events
    from .pubsub import (
        Message,
        clear,
        clear_on_commit,
        edit,
        edit_on_commit,
        presence,
        presence_channel,
        publish,
        publish_on_commit,
        publish_to_user,
        publish_to_user_on_commit,
        retract,
        retract_on_commit,
        subscribe,
        user_channel,
    )
    from .urlresolvers import reverse_websocket
    from .wsgi import get_wsgi_websocket_application

__version__ = "1.0.0rc1"

__all__ = [
    "BrokerError",
    "ChannelError",
    "ConnectionClosed",
    "EventView",
    "InvalidJSON",
    "Message",
    "Request",
    "TooManyChannels",
    "UnsupportedByBroker",
    "UnsupportedByWorker",
    "WebSocket",
    "WebSocketException",
    "clear",
    "clear_on_commit",
    "disconnect_user",
    "edit",
    "edit_on_commit",
    "event",
    "get_wsgi_websocket_application",
    "parse_request",
    "presence",
    "presence_channel",
    "publish",
    "publish_on_commit",
    "publish_to_user",
    "publish_to_user_on_commit",
    "published",
    "recheck_permissions",
    "retract",
    "retract_on_commit",
    "reverse_websocket",
    "subscribe",
    "user_channel",
    "websocket",
    "websocket_events",
    "websocket_loop",
]

#: The names of each module.
_MODULES = {
    "auth.sessions": ("disconnect_user", "recheck_permissions"),
    "connection.websocket": ("WebSocket",),
    "decorators": ("websocket", "websocket_loop"),
    "errors": (
        "BrokerError",
        "ChannelError",
        "ConnectionClosed",
        "InvalidJSON",
        "TooManyChannels",
        "UnsupportedByBroker",
        "UnsupportedByWorker",
        "WebSocketException",
    ),
    "events.requests": ("Request", "parse_request"),
    "events.views": ("EventView", "event", "published", "websocket_events"),
    "pubsub": (
        "Message",
        "clear",
        "clear_on_commit",
        "edit",
        "edit_on_commit",
        "presence",
        "presence_channel",
        "publish",
        "publish_on_commit",
        "publish_to_user",
        "publish_to_user_on_commit",
        "retract",
        "retract_on_commit",
        "subscribe",
        "user_channel",
    ),
    "urlresolvers": ("reverse_websocket",),
    "wsgi": ("get_wsgi_websocket_application",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


if not TYPE_CHECKING:  # to a type checker, a name that is not above is an error

    def __getattr__(name: str) -> Any:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
