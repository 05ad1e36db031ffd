"""Chat messages between processes, over Redis publish/subscribe.

However many sockets a process has, it holds one connection that listens, and a few that publish.
Under a gevent worker the thread below is a greenlet.
"""

import functools
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.retry import Retry

logger = logging.getLogger(__name__)

PREFIX = "chat."

#: Seconds that connecting to Redis, and an answer from it, may take.
TIMEOUT = 2.0

#: Seconds of silence after which Redis is asked whether it is there; it has as long to answer.
SILENCE = 5.0

#: Seconds before the first and the longest wait for a lost Redis.
FIRST_WAIT, LONGEST_WAIT = 0.25, 4.0

#: Called in the listening thread with a payload, or with None when payloads may have been missed.
#: It must not wait.
Receiver = Callable[[str | None], None]


class BrokerError(Exception):
    """The message could not be handed to Redis."""


class Broker:
    """Carries the payloads of rooms between all processes that use the same Redis."""

    def __init__(self, url: str) -> None:
        self._receivers: defaultdict[str, set[Receiver]] = defaultdict(set)
        self._lock = threading.Lock()
        self._listening = False
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=8,
            timeout=TIMEOUT,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            # Enough for a connection that has died of age. Publishing twice does no harm, as a
            # client knows each message by its id.
            retry=Retry(NoBackoff(), 1),
            decode_responses=True,
            encoding_errors="replace",
        )
        self._redis = redis.Redis.from_pool(pool)

    def publish(self, room: str, payload: str) -> None:
        """Hand ``payload`` to every process. Raises :class:`BrokerError`."""
        try:
            self._redis.publish(PREFIX + room, payload)
        except redis.RedisError as error:
            raise BrokerError(str(error)) from error

    @contextmanager
    def subscription(self, room: str, receiver: Receiver) -> Iterator[None]:
        """Call ``receiver`` with each payload that is published to ``room``."""
        with self._lock:
            self._receivers[room].add(receiver)
            if not self._listening:
                self._listening = True
                threading.Thread(target=self._listen, name="chat-broker", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._receivers[room].discard(receiver)
                if not self._receivers[room]:
                    del self._receivers[room]

    def _listen(self) -> None:
        wait = FIRST_WAIT
        while self._is_needed():
            try:
                with self._redis.pubsub() as pubsub:
                    pubsub.psubscribe(PREFIX + "*")
                    for message in _messages(pubsub, self._is_needed):
                        wait = FIRST_WAIT
                        self._dispatch(message)
            except Exception as error:  # noqa: BLE001 - nobody else would listen again
                kind = type(error).__name__
                logger.warning("Lost Redis (%s: %s), trying again in %.2g s", kind, error, wait)
                time.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)

    def _is_needed(self) -> bool:
        with self._lock:
            self._listening = bool(self._receivers)
            return self._listening

    def _dispatch(self, message: dict[str, str]) -> None:
        if message["type"] == "psubscribe":
            logger.info("Listening to %s* on Redis", PREFIX)
            self._call(list(self._receivers), None)
        elif message["type"] == "pmessage":
            self._call([message["channel"].removeprefix(PREFIX)], message["data"])

    def _call(self, rooms: list[str], payload: str | None) -> None:
        with self._lock:
            receivers = [receiver for room in rooms for receiver in self._receivers.get(room, ())]
        for receiver in receivers:
            receiver(payload)
        time.sleep(0)  # the receivers' threads have their turn before the next message


def _messages(pubsub: PubSub, is_needed: Callable[[], bool]) -> Iterator[dict[str, str]]:
    """What Redis says, until a pause in which nobody needs it any more.

    Raises ``redis.RedisError`` when Redis is gone or has fallen silent.
    """
    asked = False
    while True:
        message = pubsub.get_message(timeout=SILENCE)
        if message is not None:
            asked = False
            yield message
        elif asked:
            raise redis.TimeoutError(f"no answer for {SILENCE:g} s")
        elif not is_needed():
            return
        else:
            pubsub.ping()
            asked = True


@functools.cache
def get_broker() -> Broker:
    """The process's broker, on ``settings.REDIS_URL``."""
    return Broker(settings.REDIS_URL)
