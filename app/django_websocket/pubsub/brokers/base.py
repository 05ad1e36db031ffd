"""The interface of a backend, and the registry that finds one by its URL."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from importlib import import_module
from typing import NamedTuple, Protocol, TypeAlias
from urllib.parse import urlsplit

from django_websocket.errors import ChannelError, ImproperSetting, UnsupportedByBroker
from django_websocket.pubsub.message import CLEARED, make_id

__all__ = [
    "CHANGES",
    "CHANGES_TTL",
    "PATIENCE",
    "REMEMBERED",
    "UNKNOWN",
    "Broker",
    "Entry",
    "History",
    "Presence",
    "Receiver",
    "Roster",
    "Wanted",
    "is_set_while_answered",
    "make_broker",
    "register_broker",
    "require_presence",
    "wait_a_while",
    "wait_while_answered",
]

#: For how many seconds a channel's last id is kept longer than its history, so that a client that
#: reconnects to a quiet channel gets no gap message.
REMEMBERED = 24 * 3600.0

#: Seconds of silence after which a broker counts as unreachable.
PATIENCE = 2.0

#: Seconds between two checks, during a wait, of whether the broker has answered others.
_PART = 0.5

#: How many changes a presence channel keeps, and for how many seconds.
CHANGES, CHANGES_TTL = 1000, 300.0


class Entry(NamedTuple):
    """A message as brokers know it. ``previous`` is the id of the one before it in the channel,
    ``ZERO`` if the broker knows of none, so that a reader notices missing messages."""

    id: str
    previous: str
    payload: bytes


#: As :attr:`History.whole_since`: the broker cannot say what it may have lost.
UNKNOWN = "~"


class History(NamedTuple):
    """The messages that a broker keeps of a channel after a position, or the first of them.

    ``entries``
        Oldest first.
    ``last``
        The id of the newest published message, kept or not; ``ZERO`` if the broker knows of none.
    ``more``
        The position to continue from if more is kept than was requested. Else None.
    ``whole_since``
        An id: the broker still knows of every message that was published after it. So a position
        that is not the channel's own, such as the id of another channel's message, does not mean
        that messages are missing.
    ``error``
        Why this channel could not be read, if so. Then ignore the other fields.
    """

    entries: Sequence[Entry]
    last: str
    more: str | None = None
    whole_since: str = UNKNOWN
    error: ChannelError | None = None

    def since(self, position: str, *, own: bool = False) -> Iterator[Entry | str]:
        """The entries after ``position``, and between them, where some are missing, the id of the
        last missing one. Messages removed by clearing the channel are not missing.

        ``own``: the position is known to be the id of a message of this channel.
        """
        for entry in self.entries:
            if self._misses(entry.previous, position, own) and entry.payload != CLEARED:
                yield entry.previous
            yield entry
            position, own = entry.id, True
        if self.more is None and self._misses(self.last, position, own):
            yield self.last

    def _misses(self, previous: str, position: str, own: bool) -> bool:
        """Whether messages are missing between ``position`` and the one after ``previous``."""
        if previous >= position or own:
            return previous != position
        tomorrow = make_id(int((time.time() + REMEMBERED) * 1000), 0)
        return not self.whole_since <= position <= tomorrow


class Roster(NamedTuple):
    """Who is in a channel: the count of sockets by name, and the id of the last change, ``ZERO``
    if the broker knows of none."""

    people: Mapping[str, int]
    position: str


#: What a receiver wants to read before it goes on. It yields the arguments of :meth:`Broker.read`
#: and gets the result: see :meth:`Broker.answer`.
Wanted: TypeAlias = Generator[
    tuple[Sequence[tuple[str, str | None]], int | None], list[History], None
]


class Receiver(Protocol):
    """What a broker calls with messages, from one thread at a time for each channel.

    A receiver never calls the broker from within these methods: it returns what it wants to read,
    and the broker passes that to :meth:`Broker.answer` before the next call for these channels.
    """

    def subscribed(self, channels: Collection[str]) -> Wanted | None:
        """The broker has subscribed to these channels, for the first time or again.

        Call it, and answer it, before :meth:`message` with anything published to them since.
        """

    def message(self, channel: str, entry: Entry) -> Wanted | None:
        """A message was published. The same entry may come twice, and late."""

    def lost(self, channels: Collection[str]) -> None:
        """The broker has lost these subscriptions. :meth:`subscribed` will follow."""

    def give_way(self) -> None:
        """Let the sockets of this process run. Call it between messages of a burst."""


class Broker(ABC):
    """Carries messages between processes, and keeps the last ones of each channel.

    A backend for another service is a subclass. Register it with :func:`register_broker`, and run
    :class:`~django_websocket.pubsub.brokers.suite.BrokerSuite` on it. Channel names have already
    been checked.
    """

    #: The app that has to be in ``INSTALLED_APPS``, if any: ``manage.py check`` looks.
    app: str | None = None

    @abstractmethod
    def __init__(self, url: str) -> None:
        """Prepare for ``url``, the value of ``WEBSOCKET_BROKER``, without connecting.

        Raises ``ValueError`` for an invalid URL.
        """

    @abstractmethod
    def publish(self, channel: str, payload: bytes, history: int, ttl: float) -> str:
        """Give the message its id, keep it, and notify every subscriber, in one step.

        ``history``
            Roughly how many messages the channel keeps from now on; 0: this one is not kept.
        ``ttl``
            For how many seconds after the last message the channel's history is kept. Keep the id
            of that message for :data:`REMEMBERED` seconds more.

        Returns the id, greater than every earlier one of the channel as text. Takes two seconds at
        most; raises :class:`~django_websocket.errors.BrokerError`, and then nothing has changed,
        unless the reply was lost. An error of this channel alone is a
        :class:`~django_websocket.errors.ChannelError`, here and below.
        """

    def keep_at_most(self, size: int) -> None:
        """From now on, a channel's history has no more than so many bytes, roughly.

        The oldest messages go first; one that is larger is published, and not kept. Called before
        anything else if ``WEBSOCKET_HISTORY_SIZE`` is set. Raises
        :class:`~django_websocket.errors.ImproperSetting` unless a backend implements it.
        """
        raise ImproperSetting(
            f"WEBSOCKET_HISTORY_SIZE: {type(self).__name__} does not count bytes: set it to None"
        )

    @abstractmethod
    def retract(self, channel: str, id: str, history: int, ttl: float) -> str:  # noqa: A002
        """Take back the message ``id``, in one step.

        If the history has it, that entry keeps its id and the previous id, so that nothing seems to
        be missing, and its payload becomes ``retraction(id)``. In any case, also for an unknown id,
        a new message with this payload is published, as :meth:`publish` does, and kept. A channel
        that holds ``history`` messages or more holds no more than before, and a channel that is
        kept for longer than ``ttl`` stays so.

        Returns the id of the new message. Errors as in :meth:`publish`.
        """

    def edit(
        self,
        channel: str,
        id: str,  # noqa: A002
        payload: bytes,
        history: int,
        ttl: float,
    ) -> str | None:
        """Give the message ``id`` another ``payload``, in one step.

        If the history has it, that entry keeps its id and the previous id. In any case a new
        message with the payload ``edition(id, payload)`` is published and kept, as
        :meth:`retract` does with its notice; earlier ones of the same ``id`` in the history get
        this payload, too. :meth:`retract` puts its notice in their place.

        Returns the id of the new message; None, and nothing happens, if the history has a notice
        or an ``edition()`` under ``id``, or says that it was taken back. Errors as in
        :meth:`publish`.
        Raises :class:`~django_websocket.errors.UnsupportedByBroker` unless a backend implements it.
        """
        raise UnsupportedByBroker(f"{type(self).__name__} cannot edit messages: retract() them")

    @abstractmethod
    def clear(self, channel: str, ttl: float) -> str:
        """Empty the history and publish, as its first message, the payload ``CLEARED``, in one
        step. It is kept for ``ttl`` seconds, or for as long as the history would have been.

        Returns the id of the new message. Errors as in :meth:`publish`.
        """

    @abstractmethod
    def read(
        self, positions: Sequence[tuple[str, str | None]], limit: int | None = None
    ) -> list[History]:
        """For each pair (channel, id): the kept messages of the channel after the id.

        With None as the id, no entries are wanted.

        ``limit``
            The maximum of entries for each channel; None: all.

        Raises :class:`~django_websocket.errors.BrokerError`; for an error of one channel see
        :attr:`History.error`.
        """

    @abstractmethod
    def listen(self, receiver: Receiver) -> None:
        """Called once, before :meth:`subscribe`: the receiver of messages."""

    def answer(self, wanted: Wanted | None) -> None:
        """Read what a call of the receiver has asked for, until it asks for no more.

        ::

            self.answer(receiver.subscribed(channels))
            self.answer(receiver.message(channel, entry))

        Raises :class:`~django_websocket.errors.BrokerError` as :meth:`read` does.
        """
        if wanted is None:
            return
        with closing(wanted):
            positions = next(wanted, None)
            while positions is not None:
                try:
                    positions = wanted.send(self.read(*positions))
                except StopIteration:
                    return

    @abstractmethod
    def subscribe(self, channel: str) -> None:
        """Subscribe to a channel. Does not wait and does not fail: an unreachable broker is retried
        with growing, random pauses until it is back."""

    @abstractmethod
    def unsubscribe(self, channel: str) -> None:
        """Unsubscribe from a channel. Does not wait and does not fail."""

    @abstractmethod
    def check(self) -> None:
        """Raises :class:`~django_websocket.errors.BrokerError` unless messages can be published
        and received."""

    def facts(self) -> Mapping[str, str]:
        """What the service says about itself, for people, by name. By default nothing.

        Takes two seconds at most; raises :class:`~django_websocket.errors.BrokerError`.
        """
        return {}

    @property
    def answered_at(self) -> float:
        """When the service last answered this process, in time.monotonic(); 0.0: unknown.

        A caller that queues behind others of this process goes on waiting while answers arrive.
        """
        return 0.0

    @abstractmethod
    def close(self) -> None:
        """Release connections and threads."""


class Presence(ABC):
    """A second interface of a broker, which knows who is in a channel::

        class MyBroker(Broker, Presence): ...

    Run :class:`~django_websocket.pubsub.brokers.suite.PresenceSuite` on it. On a broker without it,
    calls that need presence raise :class:`~django_websocket.errors.UnsupportedByBroker`.
    """

    @abstractmethod
    def announce(
        self, channel: str, process: str, counts: Mapping[str, int], ttl: float, stamp: str | None
    ) -> str | None:
        """Note how many sockets of a process are in ``channel`` under each name, in one step.

        ``process``
            A unique id of letters and digits.
        ``counts``
            The changed counts by name; 0: none is left.
        ``ttl``
            For how many seconds this is valid. A process that announces nothing for that long is
            dead: forget its counts.
        ``stamp``
            The result of the process' last call for this channel. None: ``counts`` are complete,
            and replace all that was announced before.

        Each step begins by forgetting dead processes. If it adds the first socket of a name, or
        removes the last one, it publishes ``{"joined": [names], "left": [names]}``, both
        sorted, to ``presence_channel(channel)``, which keeps :data:`CHANGES` of them.

        Returns a new stamp, or None if the broker does not know the stamp, as it has lost or
        forgotten the process. Then ``counts`` were not stored, and the caller must send all again.
        Takes two seconds at most; raises :class:`~django_websocket.errors.BrokerError`.
        """

    @abstractmethod
    def roster(self, channel: str) -> Roster:
        """Who is in ``channel``. Forgets dead processes first, as :meth:`announce` does.

        Raises :class:`~django_websocket.errors.BrokerError`.
        """


def require_presence(broker: Broker) -> Presence:
    """Raises :class:`~django_websocket.errors.UnsupportedByBroker`."""
    if not isinstance(broker, Presence):
        raise UnsupportedByBroker(
            f"{type(broker).__name__} carries messages but no presence: enter(), "
            "watch() and presence() need a broker that is also a Presence"
        )
    return broker


def is_set_while_answered(event: threading.Event, broker: Broker) -> bool:
    """Wait for the event as :func:`wait_while_answered` does."""
    # gevent loses greenlets that begin to wait for an event that is set while it is waking many
    # others: it confuses some of them, by an id() that was used again.
    return wait_while_answered(lambda left: event.is_set() or event.wait(left), broker)


def wait_while_answered(wait: Callable[[float], bool], broker: Broker) -> bool:
    """Call ``wait(seconds)`` until it returns True, or the broker is silent for :data:`PATIENCE`.

    Returns its last result.
    """
    began = time.monotonic()
    left = PATIENCE
    while left > 0:
        done, stood_still = wait_a_while(wait, left)
        if done:
            return True
        if stood_still:
            began = time.monotonic()
        left = max(began, broker.answered_at) + PATIENCE - time.monotonic()
    return False


def wait_a_while(wait: Callable[[float], bool], left: float) -> tuple[bool, bool]:
    """Call ``wait(seconds)`` with a part of the remaining seconds.

    Returns its result, and whether this process was suspended meanwhile: then it is unknown how
    long the broker has been silent.
    """
    began = time.monotonic()
    done = wait(min(left, _PART))
    return done, time.monotonic() - began > 2 * _PART


#: The requirement to install for a package that one of our backends needs, with tested bounds.
_EXTRAS = {
    "redis": '"django-gevent-websocket[redis]"',
    "psycopg": '"django-gevent-websocket[postgres]"',
}

_BACKENDS = {
    "memory": "django_websocket.pubsub.brokers.memory.MemoryBroker",
    "postgresql": "django_websocket.pubsub.brokers.postgresql.broker.PostgreSQLBroker",
} | dict.fromkeys(
    (
        *("redis", "rediss", "unix"),
        *("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"),
    ),
    "django_websocket.pubsub.brokers.redis.RedisBroker",
)


def register_broker(scheme: str, path: str) -> None:
    """Use the :class:`Broker` with this dotted path for URLs ``scheme://…``."""
    _BACKENDS[scheme] = path


def make_broker(url: str, history_size: int | None = None) -> Broker:
    """The backend for a URL. Raises :class:`~django_websocket.errors.ImproperSetting`.

    ``history_size``: see :meth:`Broker.keep_at_most`.
    """
    broker = _broker(url)
    if history_size is not None:
        broker.keep_at_most(history_size)
    return broker


def _broker(url: str) -> Broker:
    scheme = urlsplit(url).scheme
    if scheme not in _BACKENDS:
        known = ", ".join(f"{name}://" for name in _BACKENDS)
        raise ImproperSetting(
            f"WEBSOCKET_BROKER: expected a URL with one of {known}, found {url!r}"
        )
    module, _, name = _BACKENDS[scheme].rpartition(".")
    try:
        backend: type[Broker] = getattr(import_module(module), name)
        return backend(url)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ImproperSetting(
            f"WEBSOCKET_BROKER: {scheme}:// needs the package {package}, which is not installed: "
            f"pip install {_EXTRAS.get(package, package)}"
        ) from error
    except ValueError as error:
        raise ImproperSetting(f"WEBSOCKET_BROKER: {error}") from error
