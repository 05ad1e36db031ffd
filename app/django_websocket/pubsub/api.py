"""The calls that any Django code makes: a view, a command, a signal, a Celery task.

They take no dispatcher, as a project holds none: they find the process's dispatcher.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django_websocket.conf import get_options
from django_websocket.connection.timeouts import check_timeout
from django_websocket.database import current_socket
from django_websocket.metrics import Timed, counters

from .arguments import check_history, check_since, check_ttl
from .brokers.base import require_presence
from .commits import on_commit
from .message import check_channel, check_id, check_subscription, pack, pack_json
from .metadata import name_of
from .process import reaching_dispatcher
from .reader import Reader
from .users import User, user_channel

__all__ = [
    "clear",
    "clear_on_commit",
    "edit",
    "edit_on_commit",
    "presence",
    "publish",
    "publish_on_commit",
    "publish_to_user",
    "publish_to_user_on_commit",
    "retract",
    "retract_on_commit",
    "subscribe",
]


logger = logging.getLogger("django_websocket.publish")


def publish(
    channel: str, message: Any, *, history: int | None = None, ttl: float | None = None
) -> str:
    """Send ``message`` to all subscribers of ``channel``, in any process.

    ``message``
        ``bytes``, or anything JSON-serialisable: ``str``, numbers, lists, dicts; dates and
        the like as Django writes them.
    ``history``
        Roughly how many messages the channel keeps for clients that reconnect; 0: this one is not
        kept. Default: ``WEBSOCKET_HISTORY``.
    ``ttl``
        For how many seconds after its last message the channel's history is kept. Default:
        ``WEBSOCKET_HISTORY_TTL``.

    Returns the message's id, which is greater than all earlier ones of the channel, compared as
    text. Takes two seconds at most. Raises :class:`~django_websocket.errors.BrokerError` if the
    broker is unreachable or refuses, ``TypeError`` and ``ValueError`` for a wrong argument.
    """
    kept = _checked(channel, history, ttl)
    return _publish(channel, pack(message), *kept)


def publish_on_commit(
    channel: str,
    message: Any,
    *,
    history: int | None = None,
    ttl: float | None = None,
    using: str | None = None,
) -> None:
    """:func:`publish` once the transaction on the database ``using`` is committed.

    The message is encoded now. If the broker is unreachable after the commit, that is logged as an
    error and not raised: what has been committed stays.
    """
    kept = _checked(channel, history, ttl)
    payload = pack(message)

    def publish_now() -> None:
        _publish(channel, payload, *kept)

    on_commit(publish_now, using)


def publish_to_user(
    user: User, message: Any, *, history: int | None = None, ttl: float | None = None
) -> str:
    """:func:`publish` to the sockets of ``user`` that have called ``subscribe_user()``.

    That is to all their windows and devices, in any process. Raises as :func:`publish` does,
    ``ValueError`` for a user that is not saved, and ``TypeError`` for anything but a user.
    """
    return publish(user_channel(user), message, history=history, ttl=ttl)


def publish_to_user_on_commit(
    user: User,
    message: Any,
    *,
    history: int | None = None,
    ttl: float | None = None,
    using: str | None = None,
) -> None:
    """:func:`publish_to_user` once the transaction on the database ``using`` is committed.

    A broker that is away then is an error in the log, and no exception.
    """
    publish_on_commit(user_channel(user), message, history=history, ttl=ttl, using=using)


def retract(channel: str, id: str) -> str:  # noqa: A002
    """Take back the message that :func:`publish` gave this ``id``.

    Its content leaves the channel's history at once. All subscribers, also those that reconnect
    later, get ``{"id": …, "channel": …, "retracted": id}``, so that they can remove it from their
    pages. It is no error if the history no longer has the message, or if it was taken back before.

    Returns the id of the published notice. Takes two seconds at most, and keeps Redis busy while it
    reads and writes the channel's history. Raises
    :class:`~django_websocket.errors.BrokerError`, ``TypeError`` and ``ValueError`` for a wrong
    channel or id. Changes of presence (``presence_channel()``) cannot be taken back.
    """
    check_channel(channel)
    check_id(id)
    return _retract(channel, id)


def retract_on_commit(channel: str, id: str, *, using: str | None = None) -> None:  # noqa: A002
    """:func:`retract` once the transaction on the database ``using`` is committed.

    A broker that is away then is an error in the log, and no exception.
    """
    check_channel(channel)
    check_id(id)

    def retract_now() -> None:
        _retract(channel, id)

    on_commit(retract_now, using)


def edit(channel: str, id: str, message: Any) -> str | None:  # noqa: A002
    """Give the message that :func:`publish` gave this ``id`` another content.

    The history has the new content in its place at once, and the old one nowhere. All subscribers,
    also those that reconnect later, get ``{"id": …, "channel": …, "edited": id, "data": …}``. It is
    no error if the history no longer has the message.

    Returns the id of what is published. None, and nothing is published, if the message was taken
    back meanwhile: an author may be slower than a moderator. Takes as long as :func:`retract`,
    and raises what that raises; ``TypeError`` for bytes, whose id no client knows; and
    :class:`~django_websocket.errors.UnsupportedByBroker`.
    """
    check_channel(channel)
    check_id(id)
    return _edit(channel, id, pack_json(message))


def edit_on_commit(
    channel: str,
    id: str,  # noqa: A002
    message: Any,
    *,
    using: str | None = None,
) -> None:
    """:func:`edit` once the transaction on the database ``using`` is committed.

    The message is encoded now. A broker that is away then is an error in the log, and no exception.
    """
    check_channel(channel)
    check_id(id)
    payload = pack_json(message)

    def edit_now() -> None:
        _edit(channel, id, payload)

    on_commit(edit_now, using)


def clear(channel: str) -> str:
    """Empty the channel's history.

    All subscribers, also those that reconnect later, get
    ``{"id": …, "channel": …, "cleared": true}``, and nothing that was published before.

    Returns the id of the published notice. Takes two seconds at most; raises
    :class:`~django_websocket.errors.BrokerError`, ``TypeError`` and ``ValueError`` for a wrong
    name.
    """
    check_channel(channel)
    return _clear(channel)


def clear_on_commit(channel: str, *, using: str | None = None) -> None:
    """:func:`clear` once the transaction on the database ``using`` is committed.

    A broker that is away then is an error in the log, and no exception.
    """
    check_channel(channel)

    def clear_now() -> None:
        _clear(channel)

    on_commit(clear_now, using)


@contextmanager
def subscribe(
    *channels: str, since: str | None = None, timeout: float | None = None
) -> Iterator[Reader]:
    """Read messages::

        with subscribe("chat.lobby", timeout=30) as messages:
            for message in messages:
                print(message.id, message.data)

    ``since``
        The id to resume from, for all ``channels``: later messages are read first. ``"0"``: all
        that are kept.
    ``timeout``
        Seconds without a message after which a loop over the messages ends. Default: never.

    To follow who joins and leaves, subscribe to ``presence_channel(channel)``. Raises
    :class:`~django_websocket.errors.BrokerError`, ``TypeError`` and ``ValueError`` for a wrong
    argument. In the greenlet of a socket's view, all calls here raise
    :class:`~django_websocket.errors.ConnectionClosed` once the socket is closed, so that the view
    ends with its client.
    """
    check_since(since)
    check_timeout(timeout)
    for channel in channels:
        check_subscription(channel)
    reader = Reader(
        reaching_dispatcher(),
        get_options().send_buffer_size,
        timeout,
        current_socket(),
    )
    try:
        for channel in channels:
            reader.subscribe(channel, since)
        yield reader
    finally:
        reader.close()


def presence(channel: str) -> dict[str, int]:
    """Who is in ``channel``, in any process: the count of sockets by name, sorted by name.

    Takes two seconds at most. Raises :class:`~django_websocket.errors.BrokerError`,
    :class:`~django_websocket.errors.UnsupportedByBroker`, ``ValueError`` for a wrong name.
    """
    check_channel(channel)
    broker = require_presence(reaching_dispatcher().broker)
    with Timed("roster"):
        roster = broker.roster(channel)
    counts: Counter[str] = Counter()
    for entry, count in roster.people.items():
        counts[name_of(entry)] += count
    return dict(sorted(counts.items()))


def _checked(channel: str, history: int | None, ttl: float | None) -> tuple[int, float]:
    """How much the channel keeps, and for how long."""
    check_channel(channel)
    options = get_options()
    history = options.history if history is None else history
    ttl = options.history_ttl if ttl is None else ttl
    check_history(history)
    check_ttl(ttl)
    return history, ttl


def _publish(channel: str, payload: bytes, history: int, ttl: float) -> str:
    broker = reaching_dispatcher().broker
    with Timed("publish"):
        published = broker.publish(channel, payload, history, ttl)
    return _counted(channel, published)


def _retract(channel: str, id: str) -> str:  # noqa: A002
    options, broker = get_options(), reaching_dispatcher().broker
    with Timed("retract"):
        published = broker.retract(channel, id, options.history, options.history_ttl)
    return _counted(channel, published)


def _edit(channel: str, id: str, payload: bytes) -> str | None:  # noqa: A002
    options, broker = get_options(), reaching_dispatcher().broker
    with Timed("edit"):
        published = broker.edit(channel, id, payload, options.history, options.history_ttl)
    return None if published is None else _counted(channel, published)


def _clear(channel: str) -> str:
    broker = reaching_dispatcher().broker
    with Timed("clear"):
        published = broker.clear(channel, get_options().history_ttl)
    return _counted(channel, published)


def _counted(channel: str, published: str) -> str:
    counters.published += 1
    logger.debug("Published %s to %s", published, channel)
    return published
