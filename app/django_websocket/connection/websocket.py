"""The WebSocket that a view holds.

The hub's watcher takes whole messages out of what arrives and queues them; the view's greenlet
takes them from there. Only the view's greenlets ever wait.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from django_websocket.compat.classic import ClassicFace
from django_websocket.metrics import counters
from django_websocket.rfc6455.compression import (
    compressed_frame,
    negotiate,
)
from django_websocket.rfc6455.frames import (
    BINARY,
    TEXT,
    encode_frame,
    encode_header,
)
from django_websocket.rfc6455.protocol import Protocol

from .inbox import Inbox
from .keepalive import (
    ENDED,
    OPEN,
    WAITING,
)

if TYPE_CHECKING:
    from django_websocket.options import Options
    from django_websocket.rfc6455.handshake import Handshake

__all__ = ["WebSocket"]

#: From so many bytes on, one more system call is cheaper than a copy behind the header.
_LARGE = 32768


class WebSocket(Inbox, ClassicFace):
    """A handshake that waits for its answer, then the connection.

    ``on_accept`` is called when the handshake is about to be accepted; it returns the bytes that
    have already been read behind it.
    """

    __slots__ = (
        "__weakref__",
        "_handshake",
        "_on_accept",
        "_window_bits",
        "accepted",
        "environ",
        "handler",
        "life",
        "messages_sent",
        "offered_subprotocols",
        "subprotocol",
        "subscriptions",
    )

    def __init__(
        self,
        sock: Any,
        environ: dict[str, Any],
        handshake: Handshake,
        options: Options,
        *,
        handler: Any = None,
        on_accept: Callable[[], bytes] = bytes,
    ) -> None:
        super().__init__(sock, options)
        self.environ = environ
        self.handler = handler
        #: What the application leaves to be done when its response is complete: the socket's life.
        #: ``run()`` it, or only ``end()`` it; ``status`` is the response's.
        self.life: Any = None
        self.accepted = False
        self.offered_subprotocols = handshake.subprotocols
        self.subprotocol: str | None = None
        self.messages_sent = 0
        #: What ``subscribe()`` is for this socket. The layer that knows channels sets it.
        self.subscriptions: Any = None
        self._handshake: Handshake | None = handshake
        self._on_accept: Callable[[], bytes] | None = on_accept
        #: The client's window for compressed frames; None: not compressed.
        self._window_bits: int | None = None

    def __repr__(self) -> str:
        return f"<WebSocket {self.path} {('waiting', 'open', 'closing', 'ended')[self._state]}>"

    # The handshake

    def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Answer the handshake with 101. Does nothing when that is already done.

        Raises ``ValueError`` for a subprotocol that the client does not offer and for a header
        that is malformed or belongs to the handshake, :class:`ConnectionClosed` after ``close()``,
        ``RuntimeError`` when an HTTP response has already begun.
        """
        handshake, on_accept = self._handshake, self._on_accept
        if self.accepted:
            return
        if handshake is None or on_accept is None:
            raise self._closed_error()
        answer = None
        if self._options.compression_threshold is not None:
            answer = negotiate(handshake.extensions)
        value, extension = answer or (None, None)
        response = handshake.response(subprotocol, value, headers)
        early = on_accept()
        self.subprotocol = subprotocol
        if extension is not None:
            options = self._options
            self._window_bits = extension.local_max_window_bits
            self._protocol = Protocol(
                options.max_message_size, options.receive_queue_size, extension
            )
        self._handshake = self._on_accept = None
        self.accepted = True
        self._state = OPEN
        self._heard = monotonic()
        if self._options.ping_interval is not None:
            self._schedule(self._options.ping_interval, self._keep_alive)
        self._write(response)
        if early and self._state == OPEN:
            self.bytes_received += len(early)
            self._take(early)
        if self._state < ENDED:
            self._start_reading()

    # Messages out

    def send(
        self, message: str | bytes | bytearray | memoryview, binary: bool | None = None
    ) -> None:
        """Send one message: a ``str`` as text, bytes as binary, unless ``binary`` says otherwise.

        Waits while the send buffer is full. Raises :class:`ConnectionClosed` unless the whole
        message went out or waits in the buffer, and ``UnicodeError`` for what is not UTF-8.
        """
        if isinstance(message, str):
            payload = message.encode()
            opcode = BINARY if binary else TEXT
        elif isinstance(message, bytes | bytearray | memoryview):
            payload = bytes(message)
            opcode = TEXT if binary is False else BINARY
            if binary is False:
                str(payload, "utf-8")  # RFC 6455 section 5.6: text is valid UTF-8
        else:
            raise TypeError(f"expected str or bytes, found {type(message).__name__}")
        bits = self._window_bits
        if bits is not None and len(payload) >= (self._options.compression_threshold or 0):
            self._send_frame(compressed_frame(opcode, payload, bits))
        elif len(payload) < _LARGE:
            self._send_frame(encode_frame(opcode, payload))
        else:
            self._send_frame(payload, encode_header(opcode, len(payload)))

    def send_encoded(self, frame: bytes) -> None:
        """Like :meth:`send`, with a frame that is encoded for this client already."""
        self._send_frame(frame)

    def send_json(self, value: Any) -> None:
        """Send ``value`` as JSON text. Raises :class:`ConnectionClosed`, ``TypeError``."""
        self.send(json.dumps(value))

    def _send_frame(self, frame: bytes, header: bytes = b"") -> None:
        if self._state != OPEN or self._buffered is not None:
            self._prepare_to_send(len(frame))
        self._write(frame, header)
        if self._state != OPEN:
            raise self._closed_error()
        self.messages_sent += 1
        if self._buffered is not None:
            self._wait_for_room(0)
        if self.before_wait is None:
            # A view with rows of the database in its hands goes on: it waits for those anyway, and
            # others might wait for what its transaction has locked.
            self._be_fair()

    def _prepare_to_send(self, size: int) -> None:
        if self._state == WAITING:
            self.accept()
        self._wait_for_room(size)
        if self._state != OPEN:
            raise self._closed_error()

    def _wait_for_room(self, size: int) -> None:
        """Wait until ``size`` bytes more fit into the outbound buffer, or it is empty.

        What is in the buffer (``size`` 0) still leaves when the connection closes.
        """
        if self._has_room(size):
            return
        if self.before_wait is not None:
            self.before_wait()
        self._crowded += 1
        try:
            while not self._has_room(size) and (self._state == OPEN or not size):
                self._wait()
        finally:
            self._crowded -= 1
        if self._state == ENDED:
            raise self._closed_error()

    def _has_room(self, size: int) -> bool:
        outbound = self._buffered
        return outbound is None or outbound.size + size <= self._limit

    @property
    def window_bits(self) -> int | None:
        """What :func:`~.rfc6455.compression.compressed_frame` needs for this client.

        None: it takes no compressed frames.
        """
        return self._window_bits

    def deliver(self, frame: bytes, policy: str | None = None, tag: Hashable = "broadcast") -> bool:
        """Send an encoded frame of a broadcast, without ever waiting, from any greenlet.

        ``policy`` says what happens where the send buffer is full, by default what
        ``send_buffer_policy`` says. With ``"latest"``, which is ``"drop_oldest"`` otherwise, the
        frame also replaces waiting ones that have the same ``tag``. Returns whether the connection
        is still open.
        """
        if self._state != OPEN:
            return False
        outbound = self._buffered
        if outbound is not None:
            policy = policy or self._options.send_buffer_policy
            if policy == "latest":
                counters.broadcasts_replaced += outbound.drop_broadcasts(math.inf, tag)
            if not self._has_room(len(frame)) and not self._make_room(len(frame), policy):
                return self._state == OPEN
        self.messages_sent += 1
        self._write(frame, b"", tag)
        return self._state == OPEN

    def deliver_all(
        self, frames: Sequence[tuple[bytes, Hashable]], together: bytes, policy: str
    ) -> None:
        """:meth:`deliver` each frame with its tag. ``together`` are all frames in one.

        A client that keeps up gets them with one system call.
        """
        begun = 0
        if self._state == OPEN and self._buffered is None and not self._is_encrypted():
            begun = self._begin(frames, together)
        for frame, tag in frames[begun:]:
            self.deliver(frame, policy, tag)

    def _begin(self, frames: Sequence[tuple[bytes, Hashable]], together: bytes) -> int:
        """Send what the kernel takes of ``together``; how many frames that is, the last in part."""
        try:
            sent = self._transport.send(together)
        except OSError:
            return 0  # deliver() meets it again
        self.bytes_sent += sent
        left = sent
        for number, (frame, tag) in enumerate(frames):
            if left < len(frame):
                if left:
                    self._keep(frame, left, tag)
                    number += 1
                self.messages_sent += number
                return number
            left -= len(frame)
        self.messages_sent += len(frames)
        return len(frames)

    def _make_room(self, size: int, policy: str) -> bool:
        outbound = self._buffered
        if outbound is None:
            return True
        if policy == "disconnect":
            counters.slow_clients_closed += 1
            outbound.drop_waiting()
            self._close(1013, "too slow to keep up")
            return False
        counters.broadcasts_dropped += outbound.drop_broadcasts(outbound.size + size - self._limit)
        if self._has_room(size):
            return True
        counters.broadcasts_dropped += 1
        return False

    def subscribe(self, channel: str, since: str | None = None, **options: Any) -> str:
        """Send this client what is published to ``channel``, without waking the view.

        See :meth:`django_websocket.pubsub.subscriptions.Subscriptions.subscribe`.
        """
        return str(self._subscriptions().subscribe(channel, since, **options))

    def unsubscribe(self, channel: str) -> None:
        """Send nothing more from ``channel``."""
        self._subscriptions().unsubscribe(channel)

    def enter(self, channel: str, name: str | None = None) -> None:
        """Count as present in ``channel``, as ``name`` or the user, until the socket ends.

        See :meth:`django_websocket.pubsub.subscriptions.Subscriptions.enter`.
        """
        self._subscriptions().enter(channel, name)

    def leave(self, channel: str) -> None:
        """Count as present in ``channel`` no longer."""
        self._subscriptions().leave(channel)

    def watch(self, channel: str, **options: Any) -> None:
        """Tell this client who is in ``channel``, and then who comes and goes.

        See :meth:`django_websocket.pubsub.subscriptions.Subscriptions.watch`.
        """
        self._subscriptions().watch(channel, **options)

    def unwatch(self, channel: str) -> None:
        """Tell this client no longer who is in ``channel``."""
        self._subscriptions().unwatch(channel)

    def _subscriptions(self) -> Any:
        if self.subscriptions is None:
            raise RuntimeError(
                "subscribe() and its kin need Django around the socket: serve the application that "
                "get_wsgi_websocket_application() returns"
            )
        return self.subscriptions

    # The end

    def close(self, code: int = 1000, reason: str | bytes = "") -> None:
        """Send a close frame and receive nothing more. Does nothing once closed; never waits.

        Raises ``ValueError`` for a code that may not be sent (RFC 6455 section 7.4) and for a
        reason of more than 123 bytes.
        """
        if self._state == OPEN:
            self._close(code, _text(reason))
        elif self._state == WAITING:
            self._protocol.close(code, _text(reason))
            self.abandon()

    def abandon(self) -> None:
        """The handshake has got another answer, or the view is no more: accept() is too late."""
        if self._state < ENDED:
            self._lost()
        self._handshake = self._on_accept = None

    def release(self) -> None:
        """Give the descriptor of :meth:`fileno` back, when the view has ended."""
        self.abandon()
        self._sock = None
        flag, self._flag = self._flag, None
        if flag is not None:
            flag.close()


def _text(reason: str | bytes | None) -> str:
    return reason.decode() if isinstance(reason, bytes | bytearray) else reason or ""
