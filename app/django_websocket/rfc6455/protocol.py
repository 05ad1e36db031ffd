"""One connection's frames (RFC 6455 sections 5 to 7): bytes in, messages and replies out.

The protocol is the ``websockets`` library's. A fast path before it handles the frames that do not
depend on others: between two messages a whole, unfragmented, uncompressed data frame, a ping, a
pong, and the close frame of a peer that leaves. The library's object exists only while it holds
state, which on an idle connection is never.
"""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable

from websockets.exceptions import ProtocolError
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from .frames import CLOSE, PONG, encode_frame
from .largepayload import IN_PIECES, LargePayload
from .masking import apply_mask

__all__ = ["MAX_REASON_BYTES", "Data", "Protocol", "check_close"]

#: A message: text or binary.
Data = str | bytes

#: RFC 6455 section 5.5: a control frame carries 125 bytes, of which a close code takes two.
MAX_CONTROL_BYTES = 125
MAX_REASON_BYTES = 123

_WHOLE_TEXT = 0x81
_WHOLE_BINARY = 0x82
_WHOLE_CLOSE = 0x88
_WHOLE_PING = 0x89
_WHOLE_PONG = 0x8A
_MASKED = 0x80

#: From this many bytes, a memoryview is cheaper than a copy.
_LARGE = 32768

_OPCODES = frozenset(Opcode)

#: The library logs every connection's end; ours are in the access log.
_logger = logging.getLogger("django_websocket.protocol")
_logger.setLevel(logging.WARNING)


def check_close(code: int, reason: str) -> None:
    """Raises ``ValueError`` for a close code that may not be sent (RFC 6455 section 7.4) and for a
    reason of more than :data:`MAX_REASON_BYTES` bytes of UTF-8, ``TypeError`` for other types."""
    if not isinstance(code, int) or not isinstance(reason, str):
        raise TypeError(f"expected a close code and a str, found {code!r} and {reason!r}")
    try:
        Close(code, reason).check()
    except ProtocolError:
        raise ValueError(f"a close code is 1000 to 1014 or 3000 to 4999, found {code}") from None
    if len(reason.encode()) > MAX_REASON_BYTES:
        raise ValueError(f"a close reason has at most {MAX_REASON_BYTES} bytes: {reason!r}")


class Protocol:
    """The server's side of one open connection.

    ``max_size`` is the largest message in bytes, ``batch`` how many messages may wait for the
    caller. ``extension`` is what :func:`~django_websocket.rfc6455.compression.negotiate` gave.
    """

    __slots__ = (
        "_batch",
        "_buffer",
        "_expected",
        "_fragments",
        "_large",
        "_library",
        "_max_size",
        "backlog",
        "close_code",
        "close_reason",
        "closing",
        "extension",
        "finished",
        "peer_is_done",
        "replies",
    )

    def __init__(
        self, max_size: int, batch: int, extension: PerMessageDeflate | None = None
    ) -> None:
        self._max_size = max_size
        self._batch = batch
        self.extension = extension
        self._library: ServerProtocol | None = None
        self._fragments: _Fragments | None = None
        self._buffer: bytearray | None = None
        self._expected = 0
        #: The payload of a large frame of which a part has arrived: then there is no buffer.
        self._large: LargePayload | None = None
        #: Whole frames wait in the buffer, because the caller has no room for more messages.
        self.backlog = False
        #: Bytes to send, in order. The caller takes them and empties the list.
        self.replies: list[bytes] = []
        #: A close frame was sent or received, or the connection broke: nothing more can be sent.
        self.closing = False
        #: Nothing more will be received. The caller ends the connection once ``replies`` are sent.
        self.finished = False
        #: The peer's close frame has arrived, and nothing after it.
        self.peer_is_done = False
        #: What ended the connection: the first close frame of either side, else 1006.
        self.close_code: int | None = None
        self.close_reason = ""

    @property
    def is_in_large(self) -> bool:
        """Whether a part of a large payload has arrived, and the rest is what comes next."""
        return self._large is not None

    def read_whole(self, data: bytes) -> Data | None:
        """The message, if ``data`` is exactly one whole text frame; else None, and :meth:`feed` it.

        Nearly everything that clients send is: this is the fast path of the fast path.
        """
        size = len(data)
        if size < 6 or data[0] != _WHOLE_TEXT or self._buffer is not None:
            return None
        if self._library is not None or self._large is not None or self.finished:
            return None
        start, stop = _payload(data, 0)
        if stop != size or data[1] < _MASKED or size - start > self._max_size:
            return None
        payload = data[start:] if size < _LARGE else memoryview(data)[start:]
        try:
            return apply_mask(payload, data[start - 4 : start]).decode()
        except UnicodeDecodeError:
            return None

    def feed(
        self, data: bytes, messages: list[Data], room: int, overdue: Callable[[], bool] = bool
    ) -> int:
        """Take ``data`` from the peer and append to ``messages`` what it completes.

        It stops when ``messages`` holds ``batch`` of them, when those of this call have ``room``
        bytes, or when ``overdue()`` is true, which is checked after each frame that may complete no
        message. The rest is the ``backlog`` for the next call, which may bring no data. Returns the
        size of the new messages in bytes.
        """
        if self.finished:
            return 0
        size = 0
        if self._large is not None:
            data, size = self._feed_large(self._large, data, messages)
            if not data:
                return size
        buffer: bytes | bytearray = data
        if self._buffer is not None:
            self._buffer += data
            if len(self._buffer) < self._expected:
                return 0
            buffer = self._buffer
        self.backlog = False
        start = 0
        end = len(buffer)
        expected = 2
        slow = False
        while end - start >= 2:
            if size >= room or len(messages) >= self._batch or (slow and overdue()):
                self.backlog = True
                break
            first = buffer[start]
            if buffer[start + 1] < _MASKED:
                # RFC 6455 section 5.1: "The server MUST close the connection upon receiving a
                # frame that is not masked." The library does, as soon as it sees the header.
                size += self._step(buffer[start:], messages)
                return size
            body, stop = _payload(buffer, start)
            if body - 4 > end:  # its length has not come yet
                expected = body - start
                break
            length = stop - body
            if self._library is None and length <= self._max_size and _is_whole_data[first]:
                if stop > end:
                    if length >= IN_PIECES and body <= end:
                        self._begin_large(buffer, body, length, is_text=first == _WHOLE_TEXT)
                        return size
                    expected = stop - start
                    break
                if length < _LARGE:
                    payload = apply_mask(buffer[body:stop], buffer[body - 4 : body])
                else:
                    with memoryview(buffer) as view:
                        payload = apply_mask(view[body:stop], buffer[body - 4 : body])
                if first == _WHOLE_TEXT:
                    try:
                        messages.append(payload.decode())
                    except UnicodeDecodeError as error:
                        self._fail(error)
                        return size
                else:
                    messages.append(payload)
                size += length
            elif first == _WHOLE_CLOSE and stop == end and self._leave(buffer[body - 4 : stop]):
                return size
            elif self._fails_by_header(first, length):
                size += self._step(buffer[start:], messages)
                return size
            elif stop > end:
                expected = stop - start
                break
            elif first in _PINGS and self._library is None and length <= MAX_CONTROL_BYTES:
                slow = True
                if first == _WHOLE_PING:
                    # RFC 6455 section 5.5.3: "A Pong frame sent in response to a Ping frame must
                    # have identical "Application data" as found in the message body of the Ping".
                    payload = apply_mask(buffer[body:stop], buffer[body - 4 : body])
                    self.replies.append(encode_frame(PONG, payload))
            else:
                slow = True
                size += self._step(buffer[start:stop], messages, first & 0x0F)
                if self.finished:
                    self.peer_is_done = self.peer_is_done and stop == end
                    return size
            start = stop
        self._keep(buffer, start, expected)
        return size

    def _begin_large(
        self, buffer: bytes | bytearray, body: int, length: int, *, is_text: bool
    ) -> None:
        """Take what has come of a large payload, which begins at ``body``."""
        self._large = LargePayload(length, bytes(buffer[body - 4 : body]), is_text=is_text)
        with memoryview(buffer) as view:
            self._large.add(view[body:])
        self._keep(buffer, len(buffer), expected=0)

    def _feed_large(
        self, large: LargePayload, data: bytes, messages: list[Data]
    ) -> tuple[bytes, int]:
        """Take more of a large payload. Returns what follows it, and the message's size."""
        missing = large.missing
        large.add(data if len(data) <= missing else memoryview(data)[:missing])
        if large.missing:
            return b"", 0
        self._large = None
        try:
            messages.append(large.message())
        except UnicodeDecodeError as error:
            self._fail(error)
            return b"", 0
        return data[missing:], large.length

    def _keep(self, buffer: bytes | bytearray, start: int, expected: int) -> None:
        """Remember what follows ``start``: the beginning of a frame of ``expected`` bytes."""
        self._expected = 0 if self.backlog else expected
        if start == len(buffer):
            self._buffer = None
        elif buffer is self._buffer:
            del self._buffer[:start]
        else:
            self._buffer = bytearray(buffer[start:] if start else buffer)

    def _leave(self, masked: bytes | bytearray) -> bool:
        """Handle an ordinary close frame of the peer. False: leave it to the library."""
        if self._library is not None or len(masked) > 4 + MAX_REASON_BYTES + 2:
            return False
        payload = apply_mask(masked[4:], masked[:4])
        try:
            close = Close.parse(payload)
        except (ProtocolError, UnicodeDecodeError):
            return False
        # RFC 6455 section 5.5.1: "When sending a Close frame in response, the endpoint typically
        # echos the status code it received."
        self.replies.append(encode_frame(CLOSE, payload))
        self.closing = self.finished = self.peer_is_done = True
        self.close_code, self.close_reason = int(close.code), close.reason
        self._buffer = None
        return True

    def _fails_by_header(self, first: int, length: int) -> bool:
        """Whether the library refuses such a frame before it sees the payload."""
        if first & 0x0F not in _OPCODES:
            return True
        if first & 0x08:
            return length > self._max_size
        read = self._library.current_size if self._library is not None else None
        return length > self._max_size - (read or 0)

    def _step(
        self, frame: bytes | bytearray, messages: list[Data], opcode: int = Opcode.CONT
    ) -> int:
        """Pass the library one whole frame, or one that it refuses by its header."""
        library = self._library or self._awaken()
        # RFC 6455 section 5.4: "Control frames MAY be injected in the middle of a fragmented
        # message." The message limit does not apply to them; a close frame abandons the message.
        library.max_message_size = None if opcode >= Opcode.CLOSE else self._max_size
        if opcode == Opcode.CLOSE:
            library.current_size = None
        library.receive_data(frame)
        size = 0
        for event in library.events_received():
            try:
                size += self._collect(event, messages)
            except UnicodeDecodeError as error:
                self._fail(error)
                return size
        self._follow(library)
        return size

    def _awaken(self) -> ServerProtocol:
        library = ServerProtocol(state=State.OPEN, max_size=self._max_size, logger=_logger)
        if self.extension is not None:
            library.extensions = [self.extension]
        self._library = library
        return library

    def _collect(self, event: object, messages: list[Data]) -> int:
        """Append the message that ``event`` completes. Returns its size in bytes."""
        if not isinstance(event, Frame) or event.opcode >= Opcode.CLOSE:
            return 0
        if self._fragments is None:
            self._fragments = _Fragments(is_text=event.opcode is Opcode.TEXT)
        message = self._fragments.add(bytes(event.data), event.fin)
        if message is None:
            return 0
        size = self._fragments.size
        self._fragments = None
        messages.append(message)
        return size

    def _follow(self, library: ServerProtocol) -> None:
        """Take over the library's output and state after a step."""
        self.replies += (data for data in library.data_to_send() if data)
        if library.state is not State.OPEN:
            self.closing = True
            # The library discards all input once it is done with the peer.
            self.finished = library.eof_sent
            self.peer_is_done = library.close_rcvd is not None
            self._ended_by(library)
            if self.finished:
                self._let_go(library)
                self._forget()
        elif library.current_size is None:
            self._let_go(library)  # between messages and open, as it was when it was made

    def _let_go(self, library: ServerProtocol) -> None:
        self._library = None
        # It, its parser and its error refer to each other and to a message: unless we break the
        # cycle, they stay in memory until the garbage collector runs.
        library.parser.close()
        library.parser_exc = None

    def _forget(self) -> None:
        """Drop unfinished frames and messages."""
        self._buffer = self._large = self._fragments = None
        self.backlog = False

    def _ended_by(self, library: ServerProtocol) -> None:
        if self.close_code is None:
            received_first = library.close_rcvd_then_sent or library.close_sent is None
            close = library.close_rcvd if received_first else library.close_sent
            close = close or Close(CloseCode.ABNORMAL_CLOSURE, "")
            self.close_code, self.close_reason = int(close.code), close.reason

    def _fail(self, error: UnicodeDecodeError) -> None:
        # RFC 6455 section 8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds
        # that the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the
        # WebSocket Connection_."
        library = self._library or self._awaken()
        if not library.eof_sent:
            library.fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        self._follow(library)

    def close(self, code: int, reason: str = "") -> None:
        """Start the closing handshake (RFC 6455 section 7.1.2). Does nothing once it has begun.

        Raises what :func:`check_close` raises.
        """
        check_close(code, reason)
        if not self.closing:
            library = self._library or self._awaken()
            library.send_close(code, reason)
            self._follow(library)

    def feed_eof(self) -> None:
        """The peer has closed its side of the connection, or the connection broke."""
        if self._library is not None:
            self._library.receive_eof()
            self._follow(self._library)
        self.closing = self.finished = True
        self._forget()
        if self.close_code is None:
            # RFC 6455 section 7.1.5: "If _The WebSocket Connection is Closed_ and no Close
            # control frame was received by the endpoint … _The WebSocket Connection Close Code_
            # is considered to be 1006."
            self.close_code = int(CloseCode.ABNORMAL_CLOSURE)


def _payload(buffer: bytes | bytearray, start: int) -> tuple[int, int]:
    """Where the payload of the masked frame at ``start`` begins and ends (RFC 6455 section 5.2).

    The four bytes of the masking key are before it. The end is right if everything before the key
    is in ``buffer``.
    """
    length = buffer[start + 1] & 0x7F
    if length < 126:
        return start + 6, start + 6 + length
    body = start + (8 if length == 126 else 14)
    return body, body + int.from_bytes(buffer[start + 2 : body - 4], "big")


_PINGS = (_WHOLE_PING, _WHOLE_PONG)
_is_whole_data = tuple(first in (_WHOLE_TEXT, _WHOLE_BINARY) for first in range(256))


class _Fragments:
    """A fragmented message (RFC 6455 section 5.4)."""

    __slots__ = ("_data", "_validate", "size")

    def __init__(self, *, is_text: bool) -> None:
        self._data = bytearray()
        decoder = codecs.getincrementaldecoder("utf-8")() if is_text else None
        self._validate = decoder.decode if decoder is not None else None
        self.size = 0

    def add(self, data: bytes, fin: bool) -> Data | None:
        """The message, if this was its last fragment. Raises ``UnicodeDecodeError``."""
        self._data += data
        self.size += len(data)
        if self._validate is not None:
            # An invalid byte is found in its own frame, not at the end of the message.
            self._validate(data, fin)
        if not fin:
            return None
        return bytes(self._data) if self._validate is None else self._data.decode()
