"""The WebSocket that a view holds: the state of one connection, and the verbs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from gevent import Timeout, get_hub, getcurrent

from django_websocket.compat.classic import ClassicFace
from django_websocket.errors import ConnectionClosed
from django_websocket.metrics import counters
from django_websocket.rfc6455.compression import compressed_frame, negotiate
from django_websocket.rfc6455.frames import (
    BINARY,
    SHORT_TEXT_HEADERS,
    TEXT,
    encode_frame,
    encode_header,
)
from django_websocket.rfc6455.protocol import Data, Protocol
from django_websocket.serializers.jsontext import Dumps, dumps, loads, not_a_message

from . import clientprotocol
from .inbox import Inbox
from .keepalive import Keepalive
from .scheduler import scheduler_of
from .sendbuffer import Policy
from .stream import (
    BUSY,
    CHOKED,
    INBOX_FULL,
    LARGE_READ_SIZE,
    READ_SIZE,
    THROTTLED,
    Stream,
    logger,
)
from .throttle import Throttle, throttle_of
from .timeouts import check_timeout

if TYPE_CHECKING:
    from django_websocket.options import Options
    from django_websocket.rfc6455.handshake import Handshake

__all__ = ["STATES", "WebSocket"]

#: From this many bytes, one more system call is cheaper than a copy of the payload.
_LARGE = 32768

#: The handshake waits for its answer; messages go both ways; a close frame was sent or received;
#: the TCP connection is over. In this order.
WAITING, OPEN, CLOSING, ENDED = range(4)

#: What they are called, in the same order.
STATES = ("waiting", "open", "closing", "ended")


class WatchOptions(TypedDict, total=False):
    """What ``watch()`` takes. Its messages are pubsub's, which this package does not import."""

    encode: Callable[[Any], str | bytes]


class SubscribeOptions(WatchOptions, total=False):
    """What ``subscribe()`` takes."""

    policy: Policy | None
    key: Callable[[Any], Hashable] | None
    whispers: bool


class WebSocket(ClassicFace):
    """A handshake that waits for its answer, then the connection.

    ::

        WAITING ──accept()──► OPEN ──close frame of either side──► CLOSING ──► ENDED
           └───────────────────┴──connection lost──────────────────────────────►┘

    It owns a stream (bytes and the send buffer), an inbox (received messages) and a keepalive (the
    one deadline). The stream calls it when bytes arrive or the connection is lost, in the hub's
    greenlet, which never waits. Only the view's greenlets wait, in ``receive()`` and
    ``send()``.

    Invariants, besides those of the parts:

    - The state only moves to the right.
    - A greenlet is in the list of waiters exactly while it waits.
    - Nothing is read from the socket while the inbox is full.
    - A message is sent whole, or :class:`ConnectionClosed` is raised.

    Names with an underscore are for the other packages of this library, not for views.

    ``on_accept`` is called when the handshake is about to be accepted; it returns the bytes that
    have already been read behind it.
    """

    __slots__ = (
        "__weakref__",
        "_before_wait",
        "_dumps",
        "_handshake",
        "_hub",
        "_inbox",
        "_keepalive",
        "_life",
        "_observer",
        "_on_accept",
        "_on_close",
        "_options",
        "_protocol",
        "_scheduler",
        "_senders_waiting",
        "_state",
        "_stream",
        "_subscriptions",
        "_throttle",
        "_waiters",
        "_window_bits",
        "accepted",
        "environ",
        "handler",
        "messages_sent",
        "offered_subprotocols",
        "subprotocol",
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
        self.environ = environ
        self.handler = handler
        self.accepted = False
        self.offered_subprotocols = handshake.subprotocols
        self.subprotocol: str | None = None
        self.messages_sent = 0
        self._state = WAITING
        self._options = options
        self._protocol = Protocol(options.max_message_size, options.receive_queue_size)
        self._stream = Stream(sock, options.send_buffer_size, self)
        self._inbox = Inbox(self._protocol, options.receive_queue_size, options.receive_buffer_size)
        self._throttle: Throttle | None = None
        self._keepalive = Keepalive(self._stream, self, options.ping_interval, options.ping_timeout)
        self._hub = get_hub()
        self._scheduler = scheduler_of(self._hub)
        self._waiters: list[Any] = []  # greenlets
        #: How many greenlets wait for room in the send buffer.
        self._senders_waiting = 0
        self._handshake: Handshake | None = handshake
        self._on_accept: Callable[[], bytes] | None = on_accept
        #: The client's window for compressed frames; None: not compressed.
        self._window_bits: int | None = None
        #: Serialises a value to JSON text. The application sets Django's.
        self._dumps: Dumps = dumps
        #: Called with each message that a view takes. The application sets it.
        self._observer: Any = None
        #: Called in the view's greenlet just before it really waits.
        self._before_wait: Callable[[], None] | None = None
        #: Called once when the connection closes, in the greenlet that closes it: it must not wait.
        self._on_close: Callable[[], None] | None = None
        #: Set by the application, for when its response is complete: the socket's life.
        #: ``run()`` it, or only ``end()`` it; ``status`` is the response's.
        self._life: Any = None
        #: What ``subscribe()`` is for this socket. The application sets it.
        self._subscriptions: Any = None

    def __repr__(self) -> str:
        return f"<WebSocket {self.path} {self._state_name}>"

    @property
    def _state_name(self) -> str:
        return STATES[self._state]

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._state >= CLOSING

    @property
    def close_code(self) -> int | None:
        """The code of the first close frame of either side, 1006 without one, None while open."""
        return self._protocol.close_code

    @property
    def close_reason(self) -> str:
        """The reason that came with :attr:`close_code`, or an empty text."""
        return self._protocol.close_reason

    @property
    def bytes_received(self) -> int:
        """Bytes read from the connection after the handshake."""
        return self._stream.bytes_received

    @property
    def bytes_sent(self) -> int:
        """Bytes that the kernel has taken, the answer to the handshake included."""
        return self._stream.bytes_sent

    @property
    def messages_received(self) -> int:
        """Complete messages, whether or not the view has taken them."""
        return self._inbox.messages_received

    # The handshake

    def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Answer the handshake with 101. Does nothing if that is already done.

        Raises ``ValueError`` for a subprotocol that the client does not offer and for a header
        that is malformed or belongs to the handshake, :class:`ConnectionClosed` after ``close()``,
        ``RuntimeError`` when an HTTP response has already begun.
        """
        handshake, on_accept = self._handshake, self._on_accept
        if self.accepted:
            return
        if handshake is None or on_accept is None:
            raise ConnectionClosed.of(self)
        answer = None
        if self._options.compression_threshold is not None:
            answer = negotiate(handshake.extensions)
        value, extension = answer or (None, None)
        response = handshake.response(subprotocol, value, headers)
        early = on_accept()
        self.subprotocol = subprotocol
        if extension is not None:
            self._window_bits = extension.local_max_window_bits
            self._protocol.extension = extension
        self._handshake = self._on_accept = None
        self.accepted = True
        self._state = OPEN
        self._throttle = throttle_of(self._stream, self, self._options)
        self._keepalive.start()
        self._stream.write(response)
        if clientprotocol.is_spoken(self.environ):
            self._keepalive.beat()
        if early and self._state == OPEN:
            self._stream.bytes_received += len(early)
            self._take(early)
        if self._state < ENDED:
            self._stream.start_reading()

    # Messages in

    def receive(self, timeout: float | None = None) -> Data | None:
        """The next message; None once the connection is closed. Waits ``timeout`` seconds.

        Raises ``TimeoutError``, which loses no message. Raises ``TypeError`` and ``ValueError`` for
        a wrong timeout.
        """
        inbox, observer = self._inbox, self._observer
        queue = inbox.queue
        if observer is not None:
            observer.done()
        if queue:
            self._be_fair()
        elif timeout is None and self._state == OPEN and self._before_wait is None:
            self._wait()
        if not queue and not self._wait_for_message(timeout):
            return None
        message = queue.pop(0)
        if not queue:
            inbox.size = 0
            if self._stream.paused & INBOX_FULL and not self._stream.paused & BUSY:
                self._take_backlog(INBOX_FULL)
            if inbox.flag is not None:
                inbox.show_ready()
        if observer is not None:
            observer.taken(message)
        return message

    def _wait_for_message(self, timeout: float | None) -> bool:
        """Wait until there is a message (True) or no more will arrive (False)."""
        check_timeout(timeout, may_be_over=True)
        if self._state == WAITING:
            self.accept()
        inbox = self._inbox
        if not inbox.ready and self._before_wait is not None:
            self._before_wait()
        if timeout is None:
            while not inbox.ready:
                self._wait()
        else:
            with Timeout(timeout, TimeoutError(f"no message within {timeout} seconds")):
                while not inbox.ready:
                    self._wait()
        return bool(inbox.queue)

    def receive_json(self, timeout: float | None = None) -> Any:
        """The value of the next message, which is JSON text; None for JSON's ``null``.

        Raises :class:`~django_websocket.errors.InvalidJSON`, ``TimeoutError``, and
        :class:`~django_websocket.errors.ConnectionClosed` once closed: :meth:`iter_json` ends then.
        """
        message = self.receive(timeout)
        if message is None:
            raise ConnectionClosed.of(self)
        return loads(message)

    def iter_json(self) -> Iterator[Any]:
        """The values of the messages, which are JSON text, until the connection is closed.

        Raises :class:`~django_websocket.errors.InvalidJSON`, and then is over.
        """
        for message in self:
            yield loads(message)

    def __iter__(self) -> Iterator[Data]:
        while (message := self.receive()) is not None:
            yield message

    def fileno(self) -> int:
        """A descriptor that is readable exactly when :meth:`receive` would not wait.

        -1 once the view has ended.
        """
        if self._stream.released:
            return -1
        if self._state == WAITING:
            self.accept()
        return self._inbox.fileno()

    def _on_data(self, data: bytes) -> None:
        # The path of nearly every message: it has arrived whole, and a view waits for it.
        if self._waiters and self._throttle is None and self._inbox.read_whole(data):
            self._scheduler.wake(self._waiters, self._stream.loop)
            return
        self._take(data)
        if self._protocol.backlog:
            self._take_backlog(0)
        if self._inbox.ready:
            self._wake()

    def _take(self, data: bytes) -> None:
        """Pass bytes to the protocol, and act on the result."""
        inbox, protocol, stream = self._inbox, self._protocol, self._stream
        inbox.feed(data, self._scheduler.overdue)
        stream.read_size = LARGE_READ_SIZE if protocol.is_in_large else READ_SIZE
        if protocol.replies or protocol.closing:
            self._follow()
        if inbox.full and not protocol.finished:
            stream.pause(INBOX_FULL)
        if protocol.backlog and not stream.paused & INBOX_FULL and self._scheduler.overdue():
            stream.pause(BUSY)
            self._scheduler.defer(self._go_on, self._hub)
        if self._throttle is not None and not protocol.finished:
            # Of compressed messages, what they decompress to counts.
            received = max(stream.bytes_received, inbox.bytes_received)
            self._throttle.charge(inbox.messages_received, received)
        inbox.show_ready()

    def _go_on(self) -> None:
        """Runs in the hub, in a later turn: read more of what the client has sent."""
        self._continue(BUSY)

    def _read_on(self) -> None:
        """Runs in the hub, when the client may send again."""
        self._continue(THROTTLED)

    def _on_flood(self) -> None:
        if self._state == OPEN:
            self._close(1008, "too many messages")

    def _continue(self, reason: int) -> None:
        try:
            if self._stream.paused & reason:
                self._take_backlog(reason)
                if self._inbox.ready:
                    self._wake()
        except Exception:  # noqa: BLE001 - it costs this connection, never the worker
            self._on_error()

    def _take_backlog(self, reason: int) -> None:
        """Read what there is room and time for, if ``reason`` was the only reason to pause."""
        stream = self._stream
        was_paused = stream.paused
        stream.paused &= ~reason
        while self._protocol.backlog and not stream.paused & (INBOX_FULL | BUSY | THROTTLED):
            self._take(b"")
        if was_paused and not stream.paused and self._state < ENDED:
            stream.start_reading()

    # Messages out

    def send(
        self, message: str | bytes | bytearray | memoryview, binary: bool | None = None
    ) -> None:
        """Send one message: a ``str`` as text, bytes as binary, unless ``binary`` says otherwise.

        Waits while the send buffer is full. Raises :class:`ConnectionClosed` unless the whole
        message was sent or is in the buffer, and ``UnicodeError`` for text that is not UTF-8.
        """
        stream = self._stream
        if (
            type(message) is str
            and not binary
            and len(message) < 126
            and self._state == OPEN
            and stream.buffer is None
            and self._window_bits is None
        ):
            # The path of nearly every message: it is short, and the kernel takes it at once.
            payload = message.encode()
            size = len(payload)
            if size < 126:
                frame = SHORT_TEXT_HEADERS[size] + payload
                try:
                    sent = stream.transport.send(frame)
                except OSError:
                    sent = 0  # nothing has left: the code below meets the error again
                if sent:
                    stream.bytes_sent += sent
                    if sent < size + 2:
                        stream.keep(frame, sent, None)
                    self._sent()
                    return
        if isinstance(message, str):
            payload = message.encode()
            opcode = BINARY if binary else TEXT
        elif isinstance(message, bytes | bytearray | memoryview):
            payload = bytes(message)
            opcode = TEXT if binary is False else BINARY
            if binary is False:
                str(payload, "utf-8")  # RFC 6455 section 5.6: text is valid UTF-8
        else:
            raise not_a_message(message)
        bits = self._window_bits
        if bits is not None and len(payload) >= (self._options.compression_threshold or 0):
            self._send_frame(compressed_frame(opcode, payload, bits))
        elif len(payload) < _LARGE:
            self._send_frame(encode_frame(opcode, payload))
        else:
            self._send_frame(payload, encode_header(opcode, len(payload)))

    def send_json(self, value: Any) -> None:
        """Send ``value`` as JSON text: dates, ``Decimal``, ``UUID``, lazy texts as Django does.

        Raises :class:`ConnectionClosed`, ``TypeError`` for a value of another type, ``ValueError``
        for NaN, infinity and lone surrogates. Both name the place.
        """
        self.send(self._dumps(value))

    def _send_frame(self, frame: bytes, header: bytes = b"") -> None:
        """:meth:`send`, with a frame that is encoded for this client already."""
        if self._state != OPEN or self._stream.buffer is not None:
            self._prepare_to_send(len(frame))
        self._stream.write(frame, header)
        if self._state != OPEN:
            raise ConnectionClosed.of(self)
        self._sent()

    def _sent(self) -> None:
        """Wait for room in the send buffer after a view's message, and yield if it is time."""
        self.messages_sent += 1
        if self._stream.buffer is not None:
            self._wait_for_room(0)
        if self._before_wait is None:
            # A view with rows of the database in its hands goes on: it waits for those anyway, and
            # others might wait for what its transaction has locked.
            self._be_fair()

    def _prepare_to_send(self, size: int) -> None:
        if self._state == WAITING:
            self.accept()
        self._wait_for_room(size)
        if self._state != OPEN:
            raise ConnectionClosed.of(self)

    def _wait_for_room(self, size: int) -> None:
        """Wait until ``size`` more bytes fit into the send buffer, or it is empty.

        Data that is already in the buffer (``size`` 0) is still sent when the connection closes.
        """
        stream = self._stream
        if stream.has_room(size):
            return
        if self._before_wait is not None:
            self._before_wait()
        self._senders_waiting += 1
        try:
            while not stream.has_room(size) and (self._state == OPEN or not size):
                self._wait()
        finally:
            self._senders_waiting -= 1
        if self._state == ENDED:
            raise ConnectionClosed.of(self)

    def _on_room(self) -> None:
        if self._senders_waiting:
            self._wake()

    def _deliver(
        self,
        frame: bytes,
        policy: str | None = None,
        tag: Hashable = "broadcast",
        messages: int = 1,
    ) -> bool:
        """Send an encoded frame of a broadcast. Never waits; from any greenlet.

        ``frame`` may be the frames of several ``messages``, one after the other.

        ``policy`` is what happens if the send buffer is full; default: ``send_buffer_policy``.
        ``"latest"`` is ``"drop_oldest"``, but the frame also replaces waiting ones that have the
        same ``tag``. Returns whether the connection is still open.
        """
        if self._state != OPEN:
            return False
        stream = self._stream
        if stream.buffer is not None:
            policy = policy or self._options.send_buffer_policy
            if policy == "latest":
                counters.broadcasts_replaced += stream.buffer.drop_tagged(tag)
            if not stream.has_room(len(frame)) and not self._make_room(len(frame), policy):
                return self._state == OPEN
        self.messages_sent += messages
        stream.write(frame, b"", tag)
        return self._state == OPEN

    def _deliver_all(
        self, frames: Sequence[tuple[bytes, Hashable]], together: bytes, policy: str
    ) -> None:
        """:meth:`_deliver` each frame with its tag. ``together`` are all frames in one.

        A client that keeps up gets them with one system call.
        """
        begun = 0
        if self._state == OPEN and self._stream.buffer is None and not self._stream.encrypted:
            begun = self._begin(frames, together)
            self.messages_sent += begun
        for frame, tag in frames[begun:]:
            self._deliver(frame, policy, tag)

    def _begin(self, frames: Sequence[tuple[bytes, Hashable]], together: bytes) -> int:
        """Send what the kernel takes of ``together``. Returns how many frames, the last in part."""
        stream = self._stream
        try:
            left = stream.transport.send(together)
        except OSError:
            return 0  # _deliver() meets it again
        stream.bytes_sent += left
        for number, (frame, tag) in enumerate(frames):
            if left < len(frame):
                if left:
                    stream.keep(frame, left, tag)
                    number += 1
                return number
            left -= len(frame)
        return len(frames)

    def _make_room(self, size: int, policy: str) -> bool:
        stream, buffer = self._stream, self._stream.buffer
        if buffer is None:
            return True
        if policy == "disconnect":
            counters.slow_clients_closed += 1
            buffer.drop_waiting()
            self._close(1013, "too slow to keep up")
            return False
        counters.broadcasts_dropped += buffer.drop_oldest(buffer.size + size - stream.limit)
        if stream.has_room(size):
            return True
        counters.broadcasts_dropped += 1
        return False

    # Channels

    def subscribe(
        self,
        channel: str,
        since: str | Mapping[str, str] | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> str:
        """Send this client what is published to ``channel``, without waking the view.

        See :meth:`django_websocket.pubsub.subscriptions.Subscriptions.subscribe`.
        """
        return str(self._channels().subscribe(channel, since, **options))

    def subscribe_user(
        self, since: str | Mapping[str, str] | None = None, **options: Unpack[SubscribeOptions]
    ) -> str:
        """Send this client what ``publish_to_user()`` publishes to the user of the socket.

        See :meth:`django_websocket.pubsub.subscriptions.Subscriptions.subscribe_user`.
        """
        return str(self._channels().subscribe_user(since, **options))

    def unsubscribe(self, channel: str) -> None:
        """Send nothing more from ``channel``."""
        self._channels().unsubscribe(channel)

    def whisper(self, channel: str, data: Any) -> bool:
        """Send ``data`` to the others that subscribe to ``channel`` with ``whispers=True``.

        See :meth:`django_websocket.pubsub.subscriptions.Subscriptions.whisper`.
        """
        return bool(self._channels().whisper(channel, data))

    def enter(
        self, channel: str, name: str | None = None, *, meta: Mapping[str, Any] | None = None
    ) -> None:
        """Count as present in ``channel``, as ``name`` or the user, until the socket ends.

        See :meth:`django_websocket.pubsub.subscriptions.Subscriptions.enter`.
        """
        self._channels().enter(channel, name, meta=meta)

    def leave(self, channel: str) -> None:
        """Stop counting as present in ``channel``."""
        self._channels().leave(channel)

    def watch(self, channel: str, **options: Unpack[WatchOptions]) -> None:
        """Send this client who is in ``channel``, and then who joins and leaves.

        See :meth:`django_websocket.pubsub.subscriptions.Subscriptions.watch`.
        """
        self._channels().watch(channel, **options)

    def unwatch(self, channel: str) -> None:
        """Stop sending this client who is in ``channel``."""
        self._channels().unwatch(channel)

    def _channels(self) -> Any:
        if self._subscriptions is None:
            raise RuntimeError(
                "channels and presence need Django: serve the application that "
                "get_wsgi_websocket_application() returns"
            )
        return self._subscriptions

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
            self._abandon()

    def _go_away(self, code: int = 1012, reason: str = "") -> None:
        """Close, but let the view receive what the client sent before it knew."""
        if self._state == OPEN:
            self._protocol.close(code, reason)
            self._follow()

    def _finish(self) -> None:
        """Close with 1000 if still open, and wait until the client has closed its side too."""
        if self._state == OPEN:
            self._close(1000, "")
        while self._state != ENDED:
            self._wait()

    def _abandon(self) -> None:
        """The handshake got another answer, or the view has ended: accept() is too late."""
        if self._state < ENDED:
            self._on_lost()
        self._handshake = self._on_accept = None

    def _release(self) -> None:
        """Close the descriptor of :meth:`fileno` after the view has ended."""
        self._abandon()
        self._inbox.close()
        self._stream.release()

    def _close(self, code: int, reason: str) -> None:
        self._protocol.close(code, reason)
        self._inbox.discard()
        self._follow()
        if not self._stream.paused & BUSY:
            self._take_backlog(INBOX_FULL)

    def _reply(self) -> None:
        """Send the protocol's replies."""
        protocol = self._protocol
        if protocol.replies:
            replies, protocol.replies = protocol.replies, []
            self._stream.write(b"".join(replies))

    def _follow(self) -> None:
        """Send the protocol's replies, and close when it has closed."""
        self._reply()
        protocol, stream = self._protocol, self._stream
        if stream.buffer is not None and stream.buffer.size > stream.limit:
            # A client that does not read its pongs gets a limited number of them.
            stream.pause(CHOKED)
        if not protocol.closing or self._state == ENDED:
            return
        first = self._state == OPEN
        self._state = CLOSING
        if protocol.finished:
            # RFC 6455 section 5.5.1: "The server MUST close the underlying TCP connection
            # immediately". Unless the peer has closed its side, it may have sent more: that is
            # discarded, up to the end of the stream.
            stream.resume(INBOX_FULL)
            stream.shut_down()
            if protocol.peer_is_done and stream.buffer is None:
                self._end()
                return
        if first and self._state == CLOSING:
            self._keepalive.close_within(self._options.close_timeout, self._end)
        self._show_closed()

    def _on_lost(self) -> None:
        self._protocol.feed_eof()
        self._end()

    def _on_error(self) -> None:
        logger.exception("%r failed", self)
        try:
            self._protocol.close(1011)
            self._reply()
        finally:
            self._on_lost()

    def _end(self) -> None:
        """The connection has ended for us."""
        self._state = ENDED
        self._protocol.feed_eof()
        self._keepalive.stop()
        if self._throttle is not None:
            self._throttle.stop()
        self._stream.stop()
        self._show_closed()

    def _show_closed(self) -> None:
        self._inbox.show_ready()
        self._wake()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    # Waiting

    def _wait(self) -> None:
        """Let the hub run until something has changed. Not for the hub's own greenlet."""
        waiters, waiter = self._waiters, getcurrent()
        waiters.append(waiter)
        try:
            self._scheduler.switch(self._hub)
        except BaseException:  # it was killed, or its time is up
            self._scheduler.forget(waiters, waiter)
            raise

    def _wake(self) -> None:
        """Wake every waiting greenlet in the next turn, or after the others if it has much to do.

        From any greenlet.
        """
        if not self._waiters:
            return
        if self._stream.paused & INBOX_FULL:
            self._scheduler.wake_late(self._waiters, self._stream.loop)
        else:
            self._scheduler.wake(self._waiters, self._stream.loop)

    def _be_fair(self) -> None:
        """Yield to others if this greenlet has used up its time. What is here stays here."""
        if monotonic() > self._scheduler.deadline and self._scheduler.overdue():
            if self._before_wait is not None:
                self._before_wait()
            self._scheduler.give_way(self._hub)


def _text(reason: str | bytes | None) -> str:
    return reason.decode() if isinstance(reason, bytes | bytearray) else reason or ""
