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

__all__ = ["PREFIX", "Options", "known_settings", "setting_name"]

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
    return "expected the dotted path of a urlconf module, or {pages' urlconf: sockets' urlconf}"


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
        return ", whose port is no number"
    if parts.scheme in {"ws", "wss"}:
        return ", the URL of a socket: the origin is the page's, with http or https"
    if parts.geturl() != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
        return ", with more than scheme, host and port"
    if "*" in parts.netloc.removeprefix("*."):
        return ', whose "*" does not stand for all in front of the first dot'
    return None


def _policy(value: Any) -> str | None:
    return (
        None if value in ("disconnect", "drop_oldest") else 'expected "disconnect" or "drop_oldest"'
    )


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
        "has a view. Where a middleware sets request.urlconf, as for several hosts: a dict from "
        "each urlconf of pages to the urlconf of its sockets.",
    )
    server: str | None = _option(
        None,
        _server,
        "The base URL of sockets that live on another host. None: the page's own host.",
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
        "The largest message a client may send, after decompression; a larger one closes the "
        "socket with 1009 before it is buffered.",
    )
    receive_queue_size: int = _option(
        64,
        _number(int, 1, "messages"),
        "How many messages wait for a view that lags behind. Beyond it the socket is not read, "
        "so TCP slows the client down.",
    )
    receive_buffer_size: int = _option(
        1024 * 1024,
        _number(int, 1, "bytes"),
        "How many bytes of messages wait for a view that lags behind.",
    )
    send_buffer_size: int = _option(
        1024 * 1024,
        _number(int, 1, "bytes"),
        "How many bytes wait for a client that reads slowly. A view's own send() waits for room; "
        "a broadcast applies the policy.",
    )
    send_buffer_policy: str = _option(
        "disconnect",
        _policy,
        'What a broadcast does when the send buffer is full: "disconnect" closes with 1013, so '
        'that the client comes back and catches up; "drop_oldest" drops waiting broadcasts.',
    )
    ping_interval: float | None = _option(
        20.0,
        _number(float, 0.05, "seconds", optional=True),
        "How long a connection may be silent before it is pinged. Keep it shorter than the "
        "proxy's read timeout (60 s in nginx). None: no pings.",
    )
    ping_timeout: float = _option(
        20.0,
        _number(float, 0.05, "seconds"),
        "How long a ping waits for any answer before the peer counts as dead.",
    )
    compression_threshold: int | None = _option(
        None,
        _number(int, 0, "bytes", optional=True),
        "Messages from this size on are compressed (permessage-deflate, RFC 7692) where the client "
        "offers it. None: compression is off, as it costs CPU time on the one core of a worker.",
    )
    max_connections: int | None = _option(
        None,
        _number(int, 1, "connections", optional=True),
        "How many sockets one worker holds; the next handshake gets 503 with Retry-After. None: "
        "gunicorn's worker_connections.",
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
        "How long one greenlet may hold the worker before /readyz answers 503. The log names its "
        "code after one second, or after this time if it is shorter.",
    )
    broker: str = _option(
        "memory://",
        _broker,
        "What carries published messages: memory:// within one process, redis://, rediss:// or "
        "unix:// between all that name the same Redis.",
    )
    history: int = _option(
        1000,
        _number(int, 0, "messages"),
        "How many messages a channel keeps for clients that come back, roughly, unless publish() "
        "says otherwise.",
    )
    history_ttl: float = _option(
        3600.0,
        _number(float, 1, "seconds"),
        "How long a channel's history outlives its last message, unless publish() says otherwise.",
    )
    presence_ttl: float = _option(
        30.0,
        _number(float, 0.5, "seconds"),
        "How long a process that has died still counts as present in its channels. A live process "
        "renews its entries three times within this period.",
    )
    presence_linger: float = _option(
        2.0,
        _number(float, 0, "seconds"),
        "How long someone whose socket has ended stays present, so that reloading a page is no "
        "coming and going.",
    )
    session_check_interval: float | None = _option(
        300.0,
        _number(float, 0.5, "seconds", optional=True),
        "How often each process looks, by one query for all its sockets, for sessions that were "
        "deleted or have expired; their sockets close with 1012. None: never.",
    )


def setting_name(field: str) -> str:
    """``max_message_size`` → ``WEBSOCKET_MAX_MESSAGE_SIZE``."""
    return PREFIX + field.upper()


def known_settings() -> dict[str, dataclasses.Field[Any]]:
    """Every setting's name and its field, in the order of :class:`Options`."""
    return {setting_name(field.name): field for field in dataclasses.fields(Options)}
