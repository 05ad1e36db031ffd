"""A minute in which everything breaks once, and two hundred clients miss and repeat nothing.

The clients keep the rules of websocket.js: what they wait, and where they go on.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter

import pytest
import redis

from support.crowd import Listener, announce
from support.outages import broker_of, kill_one_worker, kill_redis, redis_cut_off
from support.raw_http import get
from support.stack import needs_our_worker, wait_for

CHANNEL = "chaos"
CLIENTS = 200
SECONDS, RATE = 60, 20
MESSAGES = SECONDS * RATE

#: When what breaks, in seconds. Those who lose the second worker come back to one without Redis.
FAULTS = {
    8: lambda stack, clients: kill_one_worker(stack, 1),
    20: lambda stack, clients: kill_redis(stack),
    35: lambda stack, clients: kill_one_worker_without_redis(stack, clients),
}


@pytest.fixture(autouse=True)
def whole_stack(stack):
    stack.wait_until_whole()
    yield
    stack.wait_until_whole()


@needs_our_worker
@pytest.mark.timeout(300)
def test_a_minute_of_faults_loses_and_repeats_nothing(stack):
    clients = asyncio.run(scene(stack))
    kept = history(stack)
    assert list(dict.fromkeys(number for _, number in kept)) == [*map(str, range(MESSAGES))]
    for client in clients:
        assert client.received == kept
    codes = Counter(code for client in clients for code in client.codes)
    assert codes[1006] >= CLIENTS, "both workers died"
    assert codes[1013] > 0, "nobody came back while Redis was away"


async def scene(stack):
    """The clients, once everyone has got the last message, or nobody gets anything any more."""
    url = f"ws://localhost:{stack.port}/probe/feed/?channel={CHANNEL}"
    clients = [Listener(url) for _ in range(CLIENTS)]
    listening = [asyncio.create_task(client.run()) for client in clients]
    faults = asyncio.create_task(break_things(stack, clients))
    last = await asyncio.to_thread(publish_all, stack)
    await faults
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while any(client.since < last for client in clients):
                await asyncio.sleep(0.1)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    return clients


async def break_things(stack, clients):
    async def at(second, fault):
        await asyncio.sleep(second)
        await asyncio.to_thread(fault, stack, clients)

    await asyncio.gather(*(at(second, fault) for second, fault in FAULTS.items()))


def kill_one_worker_without_redis(stack, clients):
    """Redis is away for ten seconds, and until one of those who lost the worker has come back."""
    with redis_cut_off(stack):
        over = time.monotonic() + 10
        kill_one_worker(stack, 2)
        wait_for(lambda: any(1013 in client.codes for client in clients), "a code 1013")
        time.sleep(max(0, over - time.monotonic()))


def publish_all(stack):
    """Every message at its time, or as soon as Redis takes it; the id of the last one."""
    began = time.monotonic()
    for number in range(MESSAGES):
        time.sleep(max(0, began + number / RATE - time.monotonic()))
        last = announce_at_last(stack, str(number))
    return last


def announce_at_last(stack, text):
    """Publish until the page says that it is done; the id."""
    for _ in range(600):
        found = announce(stack.port, CHANNEL, text)
        if found is not None:
            return found
        assert get(stack.port, "/probe/").status == 200, "pages need no Redis"
        time.sleep(0.1)
    raise AssertionError("nobody publishes")


def history(stack):
    """What Redis keeps: ids and data."""
    with redis.Redis.from_url(broker_of(stack)) as client:
        entries = [fields[b"m"] for _, fields in client.xrange(f"websocket:{{{CHANNEL}}}:history")]
    return [(entry[:20].decode(), json.loads(entry[41:])) for entry in entries]
