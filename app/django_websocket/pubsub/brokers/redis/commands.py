"""Sends commands to Redis, with a deadline for every caller.

If a connection is open and idle, the caller does everything itself. Otherwise a thread does (a
greenlet under a gevent worker, which has patched threads), and ends when there is nothing more to
do. Only this thread connects: a name that does not resolve, an address that drops all packets, a
TLS handshake that never ends, or unreachable Sentinels block the thread, and its callers for two
seconds at most.

Commands that arrive while one waits for Redis are sent together, as soon as it has answered.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from typing import Any, Protocol, TypeAlias

from redis.exceptions import NoScriptError

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.base import wait_a_while

from .scripts import Script

__all__ = ["LAST_LOOK", "Command", "Commands", "Server"]

#: The name of a command, and its arguments.
Command: TypeAlias = Sequence[bytes]

#: Seconds within which an answer ends no silence, since there was none: a busy machine needs them.
_PROMPT = 0.25

#: How many times its timeout a call may take, even while Redis answers others before it.
_LONGEST = 15

#: Seconds to check again what has arrived when a call's time is over.
LAST_LOOK = 0.05


class Server(Protocol):
    """A Redis, or a cluster of them, that runs commands."""

    #: How many threads call :meth:`execute` at a time, and with how many commands, roughly.
    threads: int
    batch: int

    def ready(self) -> bool:
        """Whether :meth:`execute` needs no new connection. Does not wait."""

    def execute(self, commands: Sequence[Command], seconds: float | None) -> Generator[Any]:
        """The reply to each command, in order; an exception where Redis refused that one.

        Raises what concerns all that have no reply yet. Takes no longer than ``seconds`` when it
        was :meth:`ready`.
        """

    def arrived(self) -> bool:
        """Whether data has arrived that :meth:`execute` has not read. Does not wait."""

    def interrupt(self) -> None:
        """Interrupt :meth:`execute`. Called from other threads."""


class Commands:
    """A call takes ``timeout`` seconds at most, with all that it waits for.

    The time while Redis answers earlier calls of this process does not count.
    """

    def __init__(self, name: str, server: Server, timeout: float) -> None:
        self._name = name
        self._server = server
        self._timeout = timeout
        self._silence = _Silence()
        self._calls: deque[_Call] = deque()
        # Held while a call is taken or given up. Never while waiting.
        self._lock = threading.Lock()
        self._running = 0
        self._closed = False

    @property
    def answered_at(self) -> float:
        """When Redis last answered, in time.monotonic()."""
        return self._silence.answered_at

    def run(self, *commands: Sequence[str | bytes | int], spent: float = 0.0) -> list[Any]:
        """Send commands together. Returns the replies; an exception where Redis refused one.

        ``spent``
            Seconds of the call's time that have already passed.

        Raises :class:`BrokerError` if a reply does not arrive.
        """
        encoded = [[*map(_encoded, command)] for command in commands]
        call = _Call(encoded, self._timeout - spent, self._silence)
        with self._lock:
            if self._closed:
                raise BrokerError(f"{self._name}: the connection has been closed")
            missing = self._running < self._server.threads
            self._running += missing
            here = missing and self._server.ready()
            if not here:
                self._calls.append(call)
        if here:
            self._run_here(call)
        else:
            self._wait_for(call, missing)
        if call.error is not None:
            raise BrokerError(f"{self._name}: {call.error}") from call.error
        return call.replies

    def evaluate(
        self,
        script: Script,
        arguments: Sequence[str | bytes | int],
        began: float,
        *then: Sequence[str | bytes | int],
    ) -> list[Any]:
        """What a script returns, and the replies to the commands ``then``, which are sent with it.
        An exception in place of what Redis refused.

        ``arguments`` begin with the number of keys. ``began``: when the call began, in
        time.monotonic().
        """
        spent = time.monotonic() - began
        replies = self.run(("EVALSHA", script.sha, *arguments), *then, spent=spent)
        if isinstance(replies[0], NoScriptError):
            spent = time.monotonic() - began
            replies = self.run(("EVAL", script.text, *arguments), *then, spent=spent)
        return replies

    def close(self) -> None:
        """Accept no more calls. Waiting callers get an error."""
        with self._lock:
            self._closed = True
            calls, self._calls = self._calls, deque()
        _fail(calls, ConnectionError("the connection has been closed"))
        for call in calls:
            call.done.release()
        self._server.interrupt()

    def _run_here(self, call: _Call) -> None:
        call.take()
        try:
            self._carry_out([call], call.left())
        finally:
            with self._lock:
                more = bool(self._calls)
                self._running -= not more
            if more:
                self._start()

    def _wait_for(self, call: _Call, missing: bool) -> None:
        try:
            if missing:
                self._start()
            if not (call.wait() or self._look_again(call)):
                raise BrokerError(f"{self._name}: no answer for {self._timeout:g} s")
        except BaseException:
            with self._lock:
                call.given_up = True
            if call.waited >= self._timeout:
                # A reply may begin and never end, which a socket's timeout does not notice.
                self._server.interrupt()
            raise
        if call.thread not in (None, threading.current_thread()):
            # It has nothing more to do: an idle process has none of our threads. No need to wait.
            call.thread.join(LAST_LOOK)

    def _look_again(self, call: _Call) -> bool:
        """Whether it is done after all: the process may have been too busy to read the reply."""
        done = call.done.acquire(timeout=LAST_LOOK)
        while not done and self._server.arrived():
            done = call.done.acquire(timeout=LAST_LOOK)
        return done

    def _start(self) -> None:
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:  # the process is ending, and starts no more threads
            self._run()

    def _run(self) -> None:
        calls = self._take()
        while calls:
            try:
                self._carry_out(calls, None)
            except BaseException as error:  # noqa: BLE001 - the thread is everybody's
                _fail(calls, ConnectionError(f"{type(error).__name__} while waiting for an answer"))
            last = calls[-1]
            calls = self._take()
            if not calls:
                last.thread = threading.current_thread()
            last.done.release()

    def _take(self) -> list[_Call]:
        """The calls to send together; none if the thread shall end."""
        calls: list[_Call] = []
        size = 0
        with self._lock:
            while self._calls and size < self._server.batch:
                call = self._calls.popleft()
                if not call.given_up:
                    call.take()
                    calls.append(call)
                    size += len(call.commands)
            self._running -= not calls
        return calls

    def _carry_out(self, calls: list[_Call], seconds: float | None) -> None:
        """All but the last call are done then."""
        left = deque(calls)
        commands = [command for call in calls for command in call.commands]
        self._silence.begin()
        try:
            with closing(self._server.execute(commands, seconds)) as replies:
                for reply in replies:
                    self._silence.broken()
                    left[0].replies.append(reply)
                    if len(left[0].replies) == len(left[0].commands) and len(left) > 1:
                        left.popleft().done.release()
        except Exception as error:  # noqa: BLE001 - it goes to the callers
            _fail(left, error)
        finally:
            self._silence.end()
            for call in [*left][:-1]:
                call.done.release()


def _fail(calls: Iterable[_Call], error: Exception) -> None:
    for call in calls:
        call.error = error


class _Call:
    """``done`` is released when all replies, or the error, have arrived."""

    def __init__(self, commands: Sequence[Command], timeout: float, silence: _Silence) -> None:
        self.commands = commands
        self.replies: list[Any] = []
        self.error: Exception | None = None
        self.done = threading.Lock()
        self.done.acquire()
        self.given_up = False
        #: The thread that ends with it.
        self.thread: threading.Thread | None = None
        #: Since when its thread has it, in time.monotonic().
        self._taken_at: float | None = None
        self._timeout = timeout
        self._latest = time.monotonic() + _LONGEST * timeout
        self._silence = silence
        self._silent_before = silence.seconds()

    def take(self) -> None:
        self._timeout = self.left()
        self._taken_at = time.monotonic()

    def wait(self) -> bool:
        """Whether it is done before its time is over."""
        while (left := self.left()) > 0:
            done, stood_still = wait_a_while(lambda left: self.done.acquire(timeout=left), left)
            if done:
                return True
            if stood_still:
                self._begin_again()
        return False

    def _begin_again(self) -> None:
        self._silent_before = self._silence.seconds()
        if self._taken_at is not None:
            self._taken_at = time.monotonic()

    @property
    def waited(self) -> float:
        """Seconds for which its thread has had it."""
        return 0.0 if self._taken_at is None else time.monotonic() - self._taken_at

    def left(self) -> float:
        """Seconds that it may still take."""
        if self._taken_at is not None:
            return self._timeout - self.waited
        own = self._timeout - (self._silence.seconds() - self._silent_before)
        return min(own, self._latest - time.monotonic())


class _Silence:
    """For how long, in total, Redis has not answered while calls were waiting."""

    def __init__(self) -> None:
        self.answered_at = 0.0
        self._seconds = 0.0
        #: How many threads wait for an answer, and since when none has come.
        self._waiting = 0
        self._since = 0.0
        self._lock = threading.Lock()

    def begin(self) -> None:
        with self._lock:
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting += 1

    def broken(self) -> None:
        """An answer has come."""
        with self._lock:
            self._add()
            self.answered_at = self._since

    def end(self) -> None:
        with self._lock:
            self._add()
            self._waiting -= 1

    def seconds(self) -> float:
        with self._lock:
            return self._seconds + self._present()

    def _add(self) -> None:
        self._seconds += self._present()
        self._since = time.monotonic()

    def _present(self) -> float:
        silent = time.monotonic() - self._since if self._waiting else 0.0
        return silent if silent > _PROMPT else 0.0


def _encoded(argument: str | bytes | int) -> bytes:
    if isinstance(argument, bytes):
        return argument
    return (argument if isinstance(argument, str) else str(argument)).encode()
