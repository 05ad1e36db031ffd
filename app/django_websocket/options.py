"""The settings of the library: each one's name, type, default, bounds and reason, once.

A setting ``WEBSOCKET_FOO_BAR`` is the field ``foo_bar`` of :class:`Options`. The system checks,
the documentation's test and the worker all read this one table. It imports no Django: gunicorn
loads the worker's class before gevent has patched the standard library, and what Django
modules hold by then would stay unpatched.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["OVERRIDABLE", "PREFIX", "Options", "known_settings", "setting_name"]

PREFIX = "WEBSOCKET_"

#: Says what is wrong with a value ("expected …"), or returns None.
Rule = Callable[[Any], str | None]


def _number(kind: type, minimum: float, unit: str, *, optional: bool = False) -> Rule:
    noun = "a whole number" if kind is int else "a number"
    also = ", or None" if optional else ""

    def rule(value: Any) -> str | None:
        if value is None and optional:
            return None
        accepted = (int,) if kind is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, accepted) or not value >= minimum:
            return f"expected {noun} of {unit}, at least {minimum}{also}"
        return None

    return rule


def _urlconf(value: Any) -> str | None:
    paths = (
        [part for pair in value.items() for part in pair] if isinstance(value, dict) else [value]
    )
    if paths and all(isinstance(path, str) and path for path in paths):
        return None
    return "expected the dotted path of a urlconf module, or a dict {page urlconf: socket urlconf}"


def _server(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        parts = urlsplit(value)
        if parts.scheme in {"ws", "wss"} and parts.netloc and not (parts.query or parts.fragment):
            return None
    return 'expected a base URL such as "wss://sockets.example.com", or None'


def _origins(value: Any) -> str | None:
    hint = 'expected a list of origins such as "https://www.example.com" or "https://*.example.com"'
    if not isinstance(value, list | tuple):
        return hint
    for origin in value:
        if (problem := _origin(origin)) is not None:
            return f"{hint}; found {origin!r}{problem}"
    return None


def _origin(value: Any) -> str | None:
    """What is wrong with an origin that no browser will send."""
    if value == "*":
        return None
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        if parts is None or not parts.scheme or not parts.netloc or parts.port == 0:
            return ""
    except ValueError:  # a port that is none
        return ", whose port is not a number"
    if parts.scheme in {"ws", "wss"}:
        return ", which is a socket's URL: name the page's origin, with http or https"
    if parts.geturl() != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
        return ", which has more than a scheme, a host and a port"
    if "*" in parts.netloc.removeprefix("*."):
        return ', whose "*" is not everything before the first dot'
    return None


def _one_of(*names: str) -> Rule:
    listed = " or ".join(f'"{name}"' for name in names)

    def rule(value: Any) -> str | None:
        return None if value in names else f"expected {listed}"

    return rule


def _broker(value: Any) -> str | None:
    if isinstance(value, str) and "://" in value and urlsplit(value).scheme:
        return None
    return 'expected a URL such as "memory://" or "redis://localhost:6379/0"'


def _option(default: Any, rule: Rule, reason: str) -> Any:
    return dataclasses.field(default=default, metadata={"rule": rule, "reason": reason})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The values in force. Sizes are bytes, times are seconds."""

    urlconf: str | Mapping[str, str] | None = _option(
        None,
        _urlconf,
        "The urlconf of the WebSocket application. There is no default: without it no socket "
        "has a view. If a middleware sets request.urlconf, for example to serve several hosts: "
        "a dict that maps each urlconf of pages to the urlconf of its sockets.",
    )
    server: str | None = _option(
        None,
        _server,
        "The base URL of the sockets if they are on another host. None: the page's own host.",
    )
    allowed_origins: tuple[str, ...] = _option(
        (),
        _origins,
        "Origins that may open sockets besides the request's own host and CSRF_TRUSTED_ORIGINS. "
        'A browser sends cookies with a cross-site handshake, so "*" opens authenticated sockets '
        "to every site.",
    )
    max_message_size: int = _option(
        1024 * 1024,
        _number(int, 1, "bytes"),
        "The largest message a client may send, after decompression. A larger one closes the "
        "socket with 1009 before it is buffered.",
    )
    receive_queue_size: int = _option(
        64,
        _number(int, 1, "messages"),
        "How many messages may wait for a slow view. When the queue is full, the socket is not "
        "read, so TCP slows the client down.",
    )
    receive_buffer_size: int = _option(
        1024 * 1024,
        _number(int, 1, "bytes"),
        "How many bytes of messages may wait for a slow view.",
    )
    receive_rate: float | None = _option(
        None,
        _number(float, 0.001, "messages a second", optional=True),
        "How many messages a second one socket may send, on average over "
        "WEBSOCKET_RECEIVE_BURST. None: as many as the view takes. @websocket(receive_rate=…) "
        "overrides it for a view, as it does the next four.",
    )
    receive_byte_rate: float | None = _option(
        None,
        _number(float, 1, "bytes a second", optional=True),
        "How many bytes a second one socket may send, frames, pings and decompressed data "
        "included. None: as many as the view takes.",
    )
    receive_burst: float = _option(
        5.0,
        _number(float, 0.1, "seconds"),
        "For how many seconds' worth of the two rates a socket may send at once.",
    )
    receive_policy: str = _option(
        "delay",
        _one_of("delay", "disconnect"),
        'What happens to a client that sends more: "delay" does not read it for a while, so that '
        'TCP slows it down; "disconnect" closes with 1008.',
    )
    max_channels: int | None = _option(
        1000,
        _number(int, 1, "channels", optional=True),
        "How many channels one socket may subscribe to, watch or be present in, counted together. "
        "A call for one more raises TooManyChannels; if a view does not catch it, the socket "
        "closes with 1008. None: any number.",
    )
    send_buffer_size: int = _option(
        1024 * 1024,
        _number(int, 1, "bytes"),
        "How many bytes may wait for a client that reads slowly. When the buffer is full, a view's "
        "send() waits, and a broadcast applies WEBSOCKET_SEND_BUFFER_POLICY.",
    )
    send_buffer_policy: str = _option(
        "disconnect",
        _one_of("disconnect", "drop_oldest"),
        'What a broadcast does when the send buffer is full: "disconnect" closes with 1013, so '
        'that the client reconnects and catches up; "drop_oldest" drops waiting broadcasts.',
    )
    ping_interval: float | None = _option(
        20.0,
        _number(float, 0.05, "seconds", optional=True),
        "How long a connection may be silent before the server pings it. Keep it shorter than the "
        "proxy's read timeout (60 s in nginx). None: no pings.",
    )
    ping_timeout: float = _option(
        20.0,
        _number(float, 0.05, "seconds"),
        "How long the server waits for any answer to a ping before it treats the client as lost.",
    )
    compression_threshold: int | None = _option(
        None,
        _number(int, 0, "bytes", optional=True),
        "Messages of this size or more are compressed (permessage-deflate, RFC 7692) if the client "
        "offers it. None: no compression, as it costs CPU time on the worker's one core.",
    )
    max_connections: int | None = _option(
        None,
        _number(int, 1, "connections", optional=True),
        "How many sockets one worker serves. Further handshakes get 503 with Retry-After. None: "
        "gunicorn's worker_connections.",
    )
    max_sockets_per_user: int | None = _option(
        None,
        _number(int, 1, "sockets", optional=True),
        "How many sockets one user may have in one process; of N processes, N times as many at "
        "most. The next handshake gets 429. @websocket(max_sockets_per_user=…) counts the "
        "sockets of its view, in addition. None: any number.",
    )
    max_sockets_per_address: int | None = _option(
        None,
        _number(int, 1, "sockets", optional=True),
        "How many sockets one client address may have in one process, an IPv6 network of 64 bits "
        "being one. The next handshake gets 429, before Django is asked. A company or a mobile "
        "network may be one address. None: any number.",
    )
    handshake_rate: float | None = _option(
        None,
        _number(float, 0.001, "handshakes a second", optional=True),
        "How many handshakes a second one client address may send to one process, on average over "
        "ten seconds. More get 429. After a restart all clients of an address come back at once. "
        "None: any number.",
    )
    handshake_timeout: float = _option(
        10.0,
        _number(float, 0.05, "seconds"),
        "How long a client may take to send its handshake.",
    )
    close_timeout: float = _option(
        5.0,
        _number(float, 0.05, "seconds"),
        "How long a closing socket waits for the client's close frame.",
    )
    max_hub_lag: float = _option(
        2.0,
        _number(float, 0.05, "seconds"),
        "How long one greenlet may block the worker before /readyz answers 503. The log names the "
        "blocking code after one second, or after this time if it is shorter.",
    )
    broker: str = _option(
        "memory://",
        _broker,
        "What carries published messages: memory:// within one process; redis://, rediss:// or "
        "unix:// between all processes that use the same Redis; postgresql:// between all that "
        "use the same PostgreSQL.",
    )
    history: int = _option(
        1000,
        _number(int, 0, "messages"),
        "Roughly how many messages a channel keeps for clients that reconnect. A call of publish() "
        "may override it.",
    )
    history_size: int | None = _option(
        None,
        _number(int, 4096, "bytes", optional=True),
        "How many bytes of memory a channel's history may take, roughly. The oldest messages go "
        "first; a larger message is sent, and not kept. None: any number. Whatever it is, when "
        "Redis is full, the histories that would expire next are removed.",
    )
    history_ttl: float = _option(
        3600.0,
        _number(float, 1, "seconds"),
        "How long a channel's history is kept after its last message. publish() may override it.",
    )
    presence_ttl: float = _option(
        30.0,
        _number(float, 0.5, "seconds"),
        "How long the users of a process that has died still count as present. A live process "
        "renews its entries three times within this period.",
    )
    presence_linger: float = _option(
        2.0,
        _number(float, 0, "seconds"),
        "How long a user stays present after the socket has ended, so that reloading a page does "
        "not announce that the user left and joined.",
    )
    session_check_interval: float | None = _option(
        300.0,
        _number(float, 0.5, "seconds", optional=True),
        "How often each process looks, with one query for all its sockets, for sessions that were "
        "deleted or have expired. It closes their sockets with 1012, two seconds later. None: "
        "never.",
    )


#: What ``@websocket(…)`` may override for its view.
OVERRIDABLE = (
    "receive_rate",
    "receive_byte_rate",
    "receive_burst",
    "receive_policy",
    "max_channels",
    "max_sockets_per_user",
)


def setting_name(field: str) -> str:
    """``max_message_size`` → ``WEBSOCKET_MAX_MESSAGE_SIZE``."""
    return PREFIX + field.upper()


def known_settings() -> dict[str, dataclasses.Field[Any]]:
    """Every setting's name and its field, in the order of :class:`Options`."""
    return {setting_name(field.name): field for field in dataclasses.fields(Options)}
