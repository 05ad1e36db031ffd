"""The channels of one socket, and where it is present."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from django.http import HttpRequest

from ..conf import get_options
from .current import get_hub
from .members import Key, Member, Policy
from .message import (
    Encode,
    check_channel,
    check_name,
    check_subscription,
    encode,
    presence_channel,
)
from .watchers import Watcher, encode_presence

if TYPE_CHECKING:
    from ..connection import WebSocket

__all__ = ["Subscriptions"]


class Subscriptions:
    """Those of one socket: ``websocket.subscribe()``, ``enter()``, ``watch()`` and their kin."""

    __slots__ = ("_members", "_names", "_websocket", "request")

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._members: dict[str, Member] = {}
        #: By channel, the name under which the socket is present.
        self._names: dict[str, str] = {}
        #: The request that the socket began with.
        self.request: HttpRequest | None = None

    def subscribe(
        self,
        channel: str,
        since: str | None = None,
        *,
        encode: Encode = encode,
        policy: Policy | None = None,
        key: Key | None = None,
    ) -> str:
        """Send this client what is published to the channel.

        ``since``
            The id of the last message that the client has, as it says: what came after it is sent
            first. ``"0"``: all that is kept. Where some is no longer kept, a gap message tells.
        ``encode``
            Makes of a :class:`Message` what the client gets, ``str`` as text, ``bytes`` as binary.
            It is called once for each message, for all sockets with the same function; a gap is
            always told as the default does it.
        ``policy``
            What happens when the client does not read and its send buffer is full:
            ``"disconnect"`` closes with 1013, so that it comes back and catches up;
            ``"drop_oldest"`` drops waiting messages; with ``"latest"`` a message also replaces the
            waiting one of the channel that has the same ``key(message)``; without ``key``, each
            one. Default: ``WEBSOCKET_SEND_BUFFER_POLICY``.

        Returns the id to go on from, should no message come. Does nothing when the channel is
        subscribed already. Raises ``ValueError`` for a wrong name or policy,
        :class:`~django_websocket.errors.BrokerError` when the broker does not answer, and
        :class:`~django_websocket.errors.ConnectionClosed`.
        """
        check_subscription(channel)
        if channel not in self._members:
            self._websocket.accept()
            group = (encode, self._websocket.window_bits, *_checked(policy, key))
            self._follow(Member(self._websocket, group), channel, since)
        return self._members[channel].start

    def unsubscribe(self, channel: str) -> None:
        """Send nothing more from the channel."""
        member = self._members.pop(channel, None)
        if member is not None:
            get_hub().leave(member, channel)

    def enter(self, channel: str, name: str | None = None) -> None:
        """Let this socket count as present in the channel, until it ends.

        ``name``
            Who it is; by default the user's primary key. Whoever is in already changes the name.

        Raises ``ValueError`` for a wrong name, or none of an anonymous user;
        :class:`~django_websocket.errors.BrokerError` when the broker does not answer, and
        :class:`~django_websocket.errors.ConnectionClosed`.
        """
        check_channel(channel)
        name = self._user_name() if name is None else name
        check_name(name)
        self._websocket.accept()
        before = self._names.get(channel)
        if name != before:
            get_hub().attendance.enter(channel, name, before)
            self._names[channel] = name

    def leave(self, channel: str) -> None:
        """Count as present no longer."""
        name = self._names.pop(channel, None)
        if name is not None:
            get_hub().attendance.leave(channel, name)

    def watch(self, channel: str, *, encode: Encode = encode_presence) -> None:
        """Tell this client who is in the channel: first the list, then each change.

        ``encode``
            Makes of a :class:`Message` what the client gets. Its data is ``{"present": [names]}``
            or ``{"joined": [names], "left": [names]}``.

        Raises ``ValueError`` for a wrong name, :class:`~django_websocket.errors.BrokerError` when
        the broker does not answer, and :class:`~django_websocket.errors.ConnectionClosed`.
        """
        name = presence_channel(channel)
        if name not in self._members:
            self._websocket.accept()
            watcher = Watcher(self._websocket, encode)
            self._follow(watcher, name, watcher.tell_list(name))

    def unwatch(self, channel: str) -> None:
        """Tell this client no longer who is in the channel."""
        self.unsubscribe(presence_channel(channel))

    def close(self) -> None:
        """The socket has ended."""
        for channel in list(self._members):
            self.unsubscribe(channel)
        for channel, name in self._names.items():
            get_hub().attendance.linger(channel, name)
        self._names.clear()
        self.request = None

    def _follow(self, member: Member, channel: str, since: str | None) -> None:
        member.start = get_hub().follow(member, channel, since, member.replay)
        self._members[channel] = member

    def _user_name(self) -> str:
        user = getattr(self.request, "user", None)
        if user is None or user.pk is None:
            raise ValueError("expected a name, as nobody is logged in: enter(channel, name)")
        return str(user.pk)


def _checked(policy: Policy | None, key: Key | None) -> tuple[str, Key | None]:
    policy = policy or cast(Policy, get_options().send_buffer_policy)
    if policy not in get_args(Policy):
        raise ValueError(f'expected "disconnect", "drop_oldest" or "latest", found {policy!r}')
    if key is not None and policy != "latest":
        raise ValueError(f'a key goes with the policy "latest", found {policy!r}')
    return policy, key
