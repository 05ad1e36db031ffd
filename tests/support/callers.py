"""How long calls take at most that go to a Redis which does not answer.

Also a program, for gevent: ``python -m gevent.monkey callers.py URL COUNT``.
"""

from __future__ import annotations

import sys
import threading
import time

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.pubsub.dispatcher import Dispatcher
from django_websocket.pubsub.reader import Reader


def longest_call(url: str, count: int) -> float:
    """Seconds of the longest of ``count`` calls at the same time; all of them have to fail."""
    dispatcher = Dispatcher(RedisBroker(url))
    calls = [
        lambda: dispatcher.broker.publish("room", b"x", 10, 60),
        lambda: dispatcher.broker.roster("room"),
        lambda: dispatcher.announcer.enter("room", "Ada"),
        lambda: Reader(dispatcher, 1000).subscribe("room", "0"),
    ]
    seconds: list[float] = []

    def call(number: int) -> None:
        began = time.monotonic()
        try:
            calls[number % len(calls)]()
        except BrokerError:
            seconds.append(time.monotonic() - began)

    threads = [threading.Thread(target=call, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    dispatcher.close()
    assert len(seconds) == count, "a call has succeeded, or raised something else"
    return max(seconds)


if __name__ == "__main__":
    from django.conf import settings

    settings.configure()
    sys.stdout.write(f"{longest_call(sys.argv[1], int(sys.argv[2])):.3f}\n")
