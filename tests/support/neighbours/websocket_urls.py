import asyncio
import contextlib
import functools

import gevent
import greenlet
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.cache import cache_page

from django_websocket.decorators import websocket, websocket_loop

from .cache import Counted


@websocket_loop
def echo(request, websocket, message):
    websocket.send(message)


def sorry(view):
    """A decorator that refuses with a page."""

    @functools.wraps(view)
    def wrapper(request):
        return HttpResponse("sorry, no sockets today")

    return wrapper


async def breathe(seconds=0.05):
    await asyncio.sleep(seconds)
    return await sync_to_async(User.objects.count)()


def runner():
    with asyncio.Runner() as runner:
        return runner.run(breathe())


async def many():
    return (await asyncio.gather(*[breathe() for _ in range(5)]))[0]


async def impatient():
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.sleep(60), 0.05)
    task = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return asyncio.current_task() is not None and len(asyncio.all_tasks())


async def generator():
    """Rests between two items, while loops of other greenlets come to their end."""
    found = 0
    async for _ in numbers():
        await asyncio.sleep(0.02)
        found += 1
    async for _ in User.objects.all():
        await asyncio.sleep(0.02)
        found += 1
    return found


async def numbers():
    for number in range(5):
        await asyncio.sleep(0.005)
        yield number


async def broken():
    await asyncio.sleep(0.05)
    raise ValueError("broken")


async def blocking():
    """What a coroutine should not do: it waits as gevent does."""
    gevent.sleep(0.05)
    return asyncio.current_task() is not None


ways = {
    "run": lambda: asyncio.run(breathe()),
    "async_to_sync": lambda: async_to_sync(breathe)(),
    "runner": runner,
    "many": lambda: asyncio.run(many()),
    "impatient": lambda: asyncio.run(impatient()),
    "blocking": lambda: asyncio.run(blocking()),
    "to_thread": lambda: asyncio.run(asyncio.to_thread(User.objects.count)),
    "generator": lambda: asyncio.run(generator()),
    "get": lambda: async_to_sync(User.objects.acount)(),
}


@websocket_loop
def asyncs(request, websocket, message):
    """Runs what the message names, and the ORM before and after it."""
    before = User.objects.count()
    if message == "broken":
        with contextlib.suppress(ValueError):
            async_to_sync(broken)()
        result = before
    else:
        result = ways[message]()
    websocket.send_json([before, result, User.objects.count(), str(request.user)])


@websocket
def outlived(request, websocket):
    """Its client leaves, and its greenlet is killed, while its loop runs."""
    me = gevent.getcurrent()
    how, seconds = request.GET["how"], float(request.GET["seconds"])
    gevent.spawn(lambda: (websocket.receive(), me.kill(block=False)))
    websocket.send("begun")
    asyncio.run(asyncio.sleep(seconds)) if how == "run" else async_to_sync(asyncio.sleep)(seconds)


@websocket_loop
def orm(request, websocket, message):
    websocket.send_json([User.objects.count(), str(request.user)])


@websocket_loop
def caching(request, websocket, message):
    """Says what three greenlets at once have read back from the cache, and waits."""

    def use(number):
        key = f"{message}-{number}"
        cache.set(key, key)
        return cache.get(key) == key

    children = [gevent.spawn(use, number) for number in range(2)]
    mine = use("mine")
    request.session["seen"] = message
    request.session.save()
    websocket.send_json([mine, *[child.get() for child in children], str(request.user)])


@websocket
def open_clients(request, websocket):
    websocket.send(str(len(Counted.open)))


@websocket
def loops(request, websocket):
    """Whether greenlets are traced, and whether this one is in a loop."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        websocket.send("in a loop")
    websocket.send("traced" if greenlet.gettrace() else "quiet")


urlpatterns = [
    path("asyncs/", asyncs),
    path("outlived/", outlived),
    path("orm/", orm),
    path("loops/", loops),
    path("caching/", caching),
    path("open-clients/", open_clients),
    path("shared/", echo),
    path("asked-first/", echo),
    path("refused-with-200/", sorry(websocket(echo))),
    path("cached/", cache_page(600)(echo)),
    path("cached-refusal/", cache_page(600)(sorry(echo))),
]
