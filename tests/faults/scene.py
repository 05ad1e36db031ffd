"""What a fault costs: sockets, pages and messages under way while it happens."""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from support.crowd import Listener, announce, read_pages
from support.stack import Stack

SOCKETS, PAGES_A_SECOND, MESSAGES_A_SECOND = 300, 50, 20
#: Seconds before the fault, and after which all have to be back.
CALM, PATIENCE = 3.0, 60.0

#: Does it, and may say what the table has no column for.
Fault = Callable[[Stack], str | None]


@dataclass
class Outcome:
    """Counts, and times in seconds."""

    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    gaps: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    #: How long it took until the last client was back, and how many closed within 0.1 s at most.
    longest_away: float = 0.0
    closed_at_once: int = 0
    failed_pages: int = 0
    pages: int = 0
    slowest_page: float = 0.0
    #: Slowest publish, and how many were refused before they were accepted.
    slowest_publish: float = 0.0
    refused_publishes: int = 0
    all_back: bool = True
    note: str | None = None


async def play(stack: Stack, fault: Fault, channel: str) -> Outcome:
    """Let it happen once."""
    outcome = Outcome()
    url = f"ws://localhost:{stack.port}/probe/feed/?channel={channel}"
    listeners = [Listener(url) for _ in range(SOCKETS)]
    tasks = [asyncio.create_task(each.run()) for each in listeners]
    await _until(lambda: all(each.is_open for each in listeners))
    over = asyncio.Event()
    load = [
        asyncio.create_task(read_pages(stack.port, "/probe/sessions/", PAGES_A_SECOND, over)),
        asyncio.create_task(_publish(stack.port, channel, outcome, over)),
    ]
    await asyncio.sleep(CALM)
    outcome.note = await asyncio.to_thread(fault, stack)
    await asyncio.sleep(CALM)
    outcome.all_back = await _until(lambda: all(each.is_open for each in listeners))
    await asyncio.sleep(CALM)
    over.set()
    pages, (published, last) = await asyncio.gather(*load)
    outcome.pages = len(pages)
    outcome.failed_pages = sum(status != 200 for _, status in pages)
    outcome.slowest_page = max(seconds for seconds, _ in pages)
    await _until(lambda: all(each.since >= last for each in listeners))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    _count(outcome, listeners, published)
    return outcome


async def _until(condition: Callable[[], bool]) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.05)
    return condition()


def _count(outcome: Outcome, listeners: list[Listener], published: list[str]) -> None:
    for each in listeners:
        texts = [data for _, data in each.received if data is not None]
        counts = Counter(texts)
        outcome.lost += sum(counts[text] == 0 for text in published)
        outcome.doubled += sum(count - 1 for count in counts.values())
        outcome.disordered += sum(a > b for a, b in itertools.pairwise(map(int, texts)))
        outcome.gaps += each.gaps
        outcome.codes.update(each.codes)
        outcome.longest_away = max(outcome.longest_away, *each.away, 0.0)
    times = sorted(moment for each in listeners for moment in each.closed)
    outcome.closed_at_once = max(
        (sum(start <= each < start + 0.1 for each in times) for start in times), default=0
    )


async def _publish(
    port: int, channel: str, outcome: Outcome, over: asyncio.Event
) -> tuple[list[str], str]:
    """Each until it is accepted, which is when a page says so. The texts, and the last id."""
    published, last = [], "0"
    due = time.monotonic()
    for number in itertools.count():
        if over.is_set():
            break
        began = time.monotonic()
        while (found := await asyncio.to_thread(_announce, port, channel, str(number))) is None:
            outcome.refused_publishes += 1
            await asyncio.sleep(0.1)
        last = found
        published.append(str(number))
        outcome.slowest_publish = max(outcome.slowest_publish, time.monotonic() - began)
        due = max(due + 1 / MESSAGES_A_SECOND, time.monotonic() - 1)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return published, last


def _announce(port: int, channel: str, text: str) -> str | None:
    with contextlib.suppress(OSError):
        return announce(port, channel, text)
    return None
