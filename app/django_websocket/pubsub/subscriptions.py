"""The channels of one socket, and its presence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, cast, get_args

from django.http import HttpRequest
from gevent import spawn
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from django_websocket.conf import get_options
from django_websocket.connection import clientprotocol
from django_websocket.connection.sendbuffer import Policy
from django_websocket.errors import ConnectionClosed, TooManyChannels
from django_websocket.metrics import Timed, counters

from .arguments import check_function, check_since, position_of
from .dispatcher import Dispatcher
from .fanout import Key, Subscription
from .message import (
    ZERO,
    Encode,
    Message,
    check_channel,
    check_name,
    check_subscription,
    encode,
    encode_presence,
    presence_channel,
    presence_of,
)
from .metadata import entry_of, name_of
from .users import user_channel
from .watchers import Watcher
from .whispers import Sender, Whisperer, whisper_channel

if TYPE_CHECKING:
    from django_websocket.connection.websocket import WebSocket

__all__ = ["Subscriptions"]


class _Joining:
    """A subscription in progress, in one greenlet; others may wait for it."""

    __slots__ = ("outcome", "undone")

    def __init__(self) -> None:
        self.outcome: AsyncResult[str] = AsyncResult()
        self.undone = False


class _UndoneError(Exception):
    """Somebody has unsubscribed meanwhile, or the socket has ended."""


class _GivenUpError(Exception):
    """The other greenlet did not finish, for a reason of its own."""


#: Makes the member and returns the position to resume from. May wait.
Prepare = Callable[[], tuple[Subscription, str | None]]


class Subscriptions:
    """The subscriptions of one socket: ``websocket.subscribe()``, ``enter()``, ``watch()``, etc.

    Any greenlets may call them at the same time: a channel is reserved before anyone waits for the
    broker, and all subscriptions are undone after the socket's end.

    ``get_dispatcher``
        Returns the dispatcher of this process. It is called when the socket first needs it.
    """

    __slots__ = (
        "_at_end",
        "_closed",
        "_get_dispatcher",
        "_joining",
        "_members",
        "_names",
        "_sender",
        "_turns",
        "_websocket",
        "request",
    )

    def __init__(self, websocket: WebSocket, get_dispatcher: Callable[[], Dispatcher]) -> None:
        self._websocket = websocket
        self._get_dispatcher = get_dispatcher
        self._closed = False
        self._members: dict[str, Subscription] = {}
        self._joining: dict[str, _Joining] = {}
        #: By channel, the name under which the socket is present, ...
        self._names: dict[str, str] = {}
        #: ... and whose turn it is to change that.
        self._turns: dict[str, BoundedSemaphore] = {}
        #: What it is as a sender of whispers, once it needs that.
        self._sender: Sender | None = None
        #: Other callbacks for the socket's end.
        self._at_end: list[Callable[[], None]] = []
        #: The request that the socket began with.
        self.request: HttpRequest | None = None

    def subscribe(
        self,
        channel: str,
        since: str | Mapping[str, str] | None = None,
        *,
        encode: Encode = encode,
        policy: Policy | None = None,
        key: Key | None = None,
        whispers: bool = False,
    ) -> str:
        """Send this client the messages published to the channel.

        ``since``
            The id of the last message that the client says it has: later messages are sent first.
            ``"0"``: all that are kept. A gap message means that some are no longer kept.
            ``request.GET``: the position that ``websocket.js`` sends for this channel.
        ``encode``
            Converts a :class:`Message` to what the client gets: ``str`` as text, ``bytes`` as
            binary. Called once for each message, for all sockets with the same function. A gap
            always has the default encoding.
        ``policy``
            What happens if the client does not read and its send buffer is full: ``"disconnect"``
            closes with 1013, so that it reconnects and catches up; ``"drop_oldest"`` drops waiting
            messages; with ``"latest"`` a message also replaces the channel's waiting ones that have
            the same ``key(message)``, or all of them without ``key``. Default:
            ``WEBSOCKET_SEND_BUFFER_POLICY``.
        ``whispers``
            True: also send what others :meth:`whisper` in the channel. It counts as a channel.

        Returns the id to resume from if no message arrives. Does nothing if the channel is
        subscribed already. Raises ``ValueError`` for a wrong name or policy,
        :class:`~django_websocket.errors.BrokerError` when the broker does not answer,
        :class:`~django_websocket.errors.TooManyChannels`, and
        :class:`~django_websocket.errors.ConnectionClosed`.
        """
        check_subscription(channel)
        asked_for = position_of(since, channel)
        check_since(asked_for)
        options = _checked(encode, policy, key)

        def prepare() -> tuple[Subscription, str | None]:
            group = (encode, self._websocket._window_bits, *options)
            return Subscription(self._websocket, group), asked_for

        position = self._join(channel, prepare)
        if clientprotocol.is_spoken(self._websocket.environ):
            self._websocket._deliver(clientprotocol.position(channel, position), messages=0)
        if whispers:
            self._join(whisper_channel(channel), self._prepare_to_listen)
        return position

    def _prepare_to_listen(self) -> tuple[Subscription, None]:
        return Whisperer(self._websocket, self._as_sender().key), None

    def subscribe_user(self, since: str | Mapping[str, str] | None = None, **options: Any) -> str:
        """:meth:`subscribe` to the user's own channel, to which ``publish_to_user()`` publishes.

        Raises as :meth:`subscribe` does, and ``ValueError`` if nobody is logged in.
        """
        user = getattr(self.request, "user", None)
        if user is None or user.pk is None:
            raise ValueError(
                "expected a user, but nobody is logged in: put @login_required above @websocket"
            )
        return self.subscribe(user_channel(user), since, **options)

    def whisper(self, channel: str, data: Any) -> bool:
        """Send ``data`` to the others that subscribe to ``channel`` with ``whispers=True``.

        They get ``{"channel": …, "from": …, "whisper": data}``; ``from`` is the name under which
        this socket has entered the channel, if it has. Nothing is kept, so this is for what is over
        soon: who is typing, where a cursor is.

        Returns False, and sends nothing, for more than ten a second (twenty at once). Raises
        ``TypeError`` and ``ValueError`` for a wrong argument,
        :class:`~django_websocket.errors.BrokerError` and
        :class:`~django_websocket.errors.ConnectionClosed`.
        """
        name, entry = whisper_channel(channel), self._names.get(channel)
        sender = self._as_sender()
        payload = sender.pack(channel, None if entry is None else name_of(entry), data)
        self._require_open()
        if not sender.may_send():
            return False
        with Timed("publish"):
            self._get_dispatcher().broker.publish(name, payload, 0, 1.0)
        counters.published += 1
        return True

    def _as_sender(self) -> Sender:
        if self._sender is None:
            self._sender = Sender()
        return self._sender

    def unsubscribe(self, channel: str) -> None:
        """Send nothing more from the channel.

        Raises ``TypeError`` and ``ValueError`` for a wrong name.
        """
        check_subscription(channel)
        self._part(channel)
        if self._sender is not None and presence_of(channel) is None:
            self._part(whisper_channel(channel))

    def _part(self, channel: str) -> None:
        joining = self._joining.pop(channel, None)
        if joining is not None:
            joining.undone = True
        member = self._members.pop(channel, None)
        if member is not None:
            self._get_dispatcher().leave(member, channel)

    def enter(
        self, channel: str, name: str | None = None, *, meta: Mapping[str, Any] | None = None
    ) -> None:
        """Count this socket as present in the channel until it ends.

        ``name``
            Default: the user's primary key. A socket that has entered already changes its name.
        ``meta``
            What else those who watch are to know: ``{"away": True}``. Enter again to change it.
            At most 1,000 characters as JSON text. :meth:`whisper` costs less for what changes with
            each key.

        Raises ``ValueError`` for a wrong name, or if an anonymous user has none;
        :class:`~django_websocket.errors.BrokerError` when the broker does not answer,
        :class:`~django_websocket.errors.TooManyChannels`, and
        :class:`~django_websocket.errors.ConnectionClosed`.
        """
        check_channel(channel)
        name = self._user_name() if name is None else name
        check_name(name)
        name = entry_of(name, meta)
        self._require_open()
        asked = monotonic()
        with self._turn(channel):
            self._require_open()
            before = self._names.get(channel)
            if before is None:
                self._require_room(of_these=1)
            if name != before:
                try:
                    self._get_dispatcher().announcer.enter(channel, name, before, asked)
                    self._names[channel] = name
                finally:
                    if self._closed:
                        self._linger(channel)
            self._require_open()

    def leave(self, channel: str) -> None:
        """Stop counting as present. Raises ``TypeError`` and ``ValueError`` for a wrong name."""
        check_channel(channel)
        asked = monotonic()
        with self._turn(channel):
            name = self._names.pop(channel, None)
            if name is not None:
                self._get_dispatcher().announcer.leave(channel, name, asked)

    def watch(self, channel: str, *, encode: Encode = encode_presence) -> None:
        """Send this client who is in the channel: first the list, then each change.

        ``encode``
            Converts a :class:`Message` for the client. Its data is ``{"present": [names]}``
            or ``{"joined": [names], "left": [names]}``.

        Raises ``ValueError`` for a wrong name, :class:`~django_websocket.errors.BrokerError` when
        the broker does not answer, :class:`~django_websocket.errors.TooManyChannels`, and
        :class:`~django_websocket.errors.ConnectionClosed`.
        """
        name = presence_channel(channel)
        check_function("encode", encode)

        def prepare() -> tuple[Subscription, str | None]:
            watcher = Watcher(self._websocket, encode, self._get_dispatcher())
            return watcher, watcher.send_roster(name)

        self._join(name, prepare)

    def unwatch(self, channel: str) -> None:
        """Stop sending this client who is in the channel."""
        self.unsubscribe(presence_channel(channel))

    def call_at_end(self, function: Callable[[], None]) -> None:
        """Call it when the socket has ended, possibly in the event loop: it must not wait."""
        self._at_end.append(function)
        self._websocket._on_close = self._on_close

    def call_no_more(self, function: Callable[[], None]) -> None:
        """Undo :meth:`call_at_end`."""
        if function in self._at_end:
            self._at_end.remove(function)

    def close(self) -> None:
        """The view has ended."""
        self._undo()
        self.request = None

    def _on_close(self) -> None:
        """Runs in the event loop, or in the greenlet that has closed the socket."""
        self._closed = True
        for function in [*self._at_end]:
            function()
        spawn(self._undo)

    def _undo(self) -> None:
        self._closed = True
        self._websocket._on_close = None
        for channel in [*self._joining, *self._members]:
            self._part(channel)
        for channel in list(self._names):
            if channel not in self._turns:  # who has the turn sees to it
                self._linger(channel)

    def _require_open(self) -> None:
        """Raises :class:`ConnectionClosed`."""
        self._websocket.accept()
        if self._closed or self._websocket.closed:
            raise ConnectionClosed.of(self._websocket)
        self._websocket._on_close = self._on_close

    def _require_room(self, of_these: int = 0) -> None:
        """Raises :class:`TooManyChannels`. ``of_these``: how many the caller has reserved."""
        most = self._websocket._options.max_channels
        present = len(self._names.keys() | self._turns.keys())
        count = len(self._members) + len(self._joining) + present - of_these
        if most is not None and count >= most:
            counters.channels_refused += 1
            raise TooManyChannels(
                f"a socket may be in {most} channels at once, and this one is: leave others, or "
                "raise WEBSOCKET_MAX_CHANNELS or @websocket(max_channels=…)"
            )

    # Channels

    def _join(self, channel: str, prepare: Prepare) -> str:
        """Join the channel, or wait for the other greenlet that does; returns the position."""
        while True:
            self._require_open()
            member = self._members.get(channel)
            if member is not None:
                return member.start
            joining = self._joining.get(channel)
            if joining is None:
                return self._reserve(channel, prepare)
            with suppress(_GivenUpError):
                return str(joining.outcome.get())

    def _reserve(self, channel: str, prepare: Prepare) -> str:
        self._require_room()
        joining = self._joining[channel] = _Joining()
        try:
            position = self._follow(channel, joining, prepare)
        except Exception as error:
            joining.outcome.set_exception(error)
            raise
        except BaseException:  # this greenlet was killed, or its time is up; the others go on
            joining.outcome.set_exception(_GivenUpError())
            raise
        else:
            joining.outcome.set(position)
            return position
        finally:
            if self._joining.get(channel) is joining:
                del self._joining[channel]

    def _follow(self, channel: str, joining: _Joining, prepare: Prepare) -> str:
        """Raises :class:`BrokerError` and :class:`ConnectionClosed`."""
        dispatcher = self._get_dispatcher()
        member, since = prepare()

        def replay(message: Message) -> None:
            if joining.undone:
                raise _UndoneError
            member.replay(message)

        try:
            member.start = dispatcher.follow(member, channel, since, replay)
            if joining.undone:
                dispatcher.leave(member, channel)
                raise _UndoneError
        except _UndoneError:
            if self._closed:
                raise ConnectionClosed.of(self._websocket) from None
            return since or ZERO
        self._members[channel] = member
        return member.start

    # Presence

    @contextmanager
    def _turn(self, channel: str) -> Iterator[None]:
        """One greenlet at a time changes the name in a channel.

        If the broker has not answered one of them, the others do not wait for it again.
        """
        turn = self._turns.setdefault(channel, BoundedSemaphore(1))
        try:
            with turn:
                yield
        finally:
            if not (turn.locked() or turn.linkcount()):
                self._turns.pop(channel, None)

    def _linger(self, channel: str) -> None:
        name = self._names.pop(channel, None)
        if name is not None:
            self._get_dispatcher().announcer.linger(channel, name)

    def _user_name(self) -> str:
        user = getattr(self.request, "user", None)
        if user is None or user.pk is None:
            raise ValueError("expected a name, as nobody is logged in: enter(channel, name)")
        return str(user.pk)


def _checked(encode: Encode, policy: Policy | None, key: Key | None) -> tuple[Policy, Key | None]:
    check_function("encode", encode)
    if policy is None:
        policy = cast(Policy, get_options().send_buffer_policy)
    if policy not in get_args(Policy):
        raise ValueError(f'expected "disconnect", "drop_oldest" or "latest", found {policy!r}')
    if key is not None:
        check_function("key", key)
        if policy != "latest":
            raise ValueError(f'a key needs the policy "latest", found {policy!r}')
    return policy, key
