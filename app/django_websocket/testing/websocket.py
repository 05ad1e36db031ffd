"""The WebSocket of a view under test, which any thread may use."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from typing import Any

from django_websocket.connection.websocket import WebSocket
from django_websocket.rfc6455.protocol import Data

from .engine import Engine, EngineStopped

__all__ = ["RemoteWebSocket"]


class RemoteWebSocket(WebSocket):
    """Runs its calls in the hub of its engine, where it was made.

    A view waits in a thread of its own. A broadcast is sent from the publisher's thread, or from
    that of the broker's client, and never waits there.
    """

    __slots__ = ("_engine", "_release_connections", "_views_observer")

    def __init__(self, engine: Engine, *args: Any, **kwargs: Any) -> None:
        self._engine = engine
        super().__init__(*args, **kwargs)

    @property
    def _before_wait(self) -> Callable[[], None] | None:
        """Work for the view's own thread, not for a greenlet of the engine."""
        if self._engine.has_thread and self._engine.is_here:
            return None
        return self._release_connections

    @_before_wait.setter
    def _before_wait(self, function: Callable[[], None] | None) -> None:
        self._release_connections = function

    @property
    def _observer(self) -> Any:
        """For the view's own thread, too."""
        return None if self._engine.has_thread and self._engine.is_here else self._views_observer

    @_observer.setter
    def _observer(self, observer: Any) -> None:
        self._views_observer = observer

    @property
    def waits(self) -> bool:
        """Whether somebody waits for the client: for a message, or for it to read some."""
        return bool(self._waiters)

    @property
    def selects(self) -> bool:
        """Whether its descriptor was asked for, as ``select()`` does."""
        return self._inbox.flag is not None

    def read_now(self) -> None:
        """Read what the client has sent, also before the hub has noticed it."""
        with suppress(EngineStopped):
            self._engine.call(self._read_now)

    def _read_now(self) -> None:
        stream = self._stream
        if self.accepted and not (stream.paused or stream.released or self.closed):
            stream.read()

    # The view's

    def accept(self, *args: Any, **kwargs: Any) -> None:
        """See :meth:`WebSocket.accept`."""
        if self._handshake is not None or not self.accepted:
            self._engine.call(lambda: super(RemoteWebSocket, self).accept(*args, **kwargs))

    def receive(self, timeout: float | None = None) -> Data | None:
        """See :meth:`WebSocket.receive`."""
        if not self._inbox.ready and (before_wait := self._before_wait) is not None:
            before_wait()
        observer = self._observer if self._engine.has_thread else None
        if observer is not None:
            observer.done()
        message = self._engine.call(super().receive, timeout)
        if observer is not None and message is not None:
            observer.taken(message)
        return message

    def fileno(self) -> int:
        """See :meth:`WebSocket.fileno`."""
        return self._engine.call(super().fileno)

    def close(self, code: int = 1000, reason: str | bytes = "") -> None:
        """See :meth:`WebSocket.close`."""
        if not self.closed:
            with suppress(EngineStopped):
                self._engine.call(super().close, code, reason)

    def send(self, *args: Any, **kwargs: Any) -> None:
        """See :meth:`WebSocket.send`."""
        self._engine.call(lambda: super(RemoteWebSocket, self).send(*args, **kwargs))

    def _send_frame(self, frame: bytes, header: bytes = b"") -> None:
        self._engine.call(super()._send_frame, frame, header)

    # The engine's, asked from elsewhere

    def _go_away(self, code: int = 1012, reason: str = "") -> None:
        self._engine.call(super()._go_away, code, reason)

    def _finish(self) -> None:
        self._engine.call(super()._finish)

    def _release(self) -> None:
        self._engine.call(super()._release)

    def _abandon(self) -> None:
        self._engine.call(super()._abandon)

    # A broadcast's

    def _deliver(self, *args: Any, **kwargs: Any) -> bool:
        self._engine.tell(lambda: super(RemoteWebSocket, self)._deliver(*args, **kwargs))
        return not self.closed

    def _deliver_all(
        self, frames: Sequence[tuple[bytes, Hashable]], together: bytes, policy: str
    ) -> None:
        self._engine.tell(super()._deliver_all, frames, together, policy)
