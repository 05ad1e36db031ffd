"""The calls that any Django code makes: a view, a command, a signal, a Celery task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from ..conf import get_options
from .counters import counters
from .current import get_hub
from .message import check_channel, pack
from .reader import Reader

__all__ = ["presence", "publish", "publish_on_commit", "subscribe"]


def publish(
    channel: str, message: Any, *, history: int | None = None, ttl: float | None = None
) -> str:
    """Send ``message`` to everyone who listens to ``channel``, in whatever process.

    ``message``
        ``bytes``, or what JSON can say: ``str``, numbers, lists, dicts; dates and the like as
        Django writes them.
    ``history``
        How many messages the channel keeps, roughly, for who comes back; 0: this one is not kept.
        Default: ``WEBSOCKET_HISTORY``.
    ``ttl``
        For how many seconds after its last message the channel's history is kept. Default:
        ``WEBSOCKET_HISTORY_TTL``.

    Returns the message's id, which is greater than all earlier ones of the channel, compared as
    text. Takes two seconds at most. Raises :class:`~django_websocket.errors.BrokerError` when the
    broker is away or refuses, ``TypeError`` and ``ValueError`` for what cannot be published.
    """
    return _publish(channel, pack(message), history, ttl)


def publish_on_commit(
    channel: str,
    message: Any,
    *,
    history: int | None = None,
    ttl: float | None = None,
    using: str | None = None,
) -> None:
    """:func:`publish` once the transaction on the database ``using`` is committed.

    The message is taken as it is now. A broker that is away then is an error in the log, and no
    exception: what has been committed stays.
    """
    check_channel(channel)
    payload = pack(message)

    def publish_now() -> None:
        _publish(channel, payload, history, ttl)

    transaction.on_commit(publish_now, using=using, robust=True)


@contextmanager
def subscribe(
    *channels: str, since: str | None = None, timeout: float | None = None
) -> Iterator[Reader]:
    """Read messages::

        with subscribe("chat.lobby", timeout=30) as messages:
            for message in messages:
                print(message.id, message.data)

    ``since``
        The id to go on from, for all ``channels``: what came after it is read first. ``"0"``: all
        that is kept.
    ``timeout``
        Seconds without a message after which a loop over the messages ends. Default: never.

    To hear who comes and goes, subscribe to ``presence_channel(channel)``. Raises
    :class:`~django_websocket.errors.BrokerError`, ``ValueError`` for a wrong name.
    """
    reader = Reader(get_hub(), get_options().send_buffer_size, timeout)
    try:
        for channel in channels:
            reader.subscribe(channel, since)
        yield reader
    finally:
        reader.close()


def presence(channel: str) -> dict[str, int]:
    """Who is in ``channel``, in whatever process: the count of sockets by name, names in order.

    Takes two seconds at most. Raises :class:`~django_websocket.errors.BrokerError`, ``ValueError``
    for a wrong name.
    """
    check_channel(channel)
    return dict(sorted(get_hub().broker.roster(channel).people.items()))


def _publish(channel: str, payload: bytes, history: int | None, ttl: float | None) -> str:
    check_channel(channel)
    options = get_options()
    history = options.history if history is None else history
    ttl = options.history_ttl if ttl is None else ttl
    if history < 0:
        raise ValueError(f"expected a history of 0 or more messages, found {history}")
    if not ttl > 0:
        raise ValueError(f"expected a ttl of more than 0 seconds, found {ttl}")
    published = get_hub().broker.publish(channel, payload, history, ttl)
    counters.published += 1
    return published
