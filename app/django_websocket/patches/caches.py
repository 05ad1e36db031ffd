"""Django's caches, for thousands of greenlets.

Django makes a cache client for each thread, and here every greenlet is a thread: each socket that
has used the cache would hold a connection to it for life. So greenlets share the clients of
thread-safe backends, and close any other client whenever their socket waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from django.core.cache import BaseCache, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

__all__ = ["release_caches", "share_cache_clients"]

#: Their clients keep a pool of connections, or none at all.
_SHAREABLE: tuple[type, ...] = (
    DatabaseCache,
    DummyCache,
    FileBasedCache,
    LocMemCache,
    RedisCache,
)
#: The same, of a third-party package: by its name, so that it is not imported.
_SHAREABLE_ELSEWHERE = {"django_redis.cache.RedisCache", "django_valkey.cache.ValkeyCache"}

#: How many connections of one process carry commands at a time, unless CACHES says otherwise.
#: Redis runs one after the other anyway.
_CONNECTIONS = 8

#: The clients that one greenlet has for itself, and their aliases.
_private: WeakKeyDictionary[BaseCache, str] = WeakKeyDictionary()


def share_cache_clients(on_private_client: Callable[[BaseCache], None]) -> None:
    """Share clients from now on. ``on_private_client`` gets each client of a single greenlet."""
    create = caches.create_connection
    if hasattr(create, "__wrapped__"):
        return
    shared: dict[str, BaseCache] = {}

    def create_connection(alias: str) -> BaseCache:
        if alias in shared:
            return shared[alias]
        client = create(alias)
        if _shareable(type(client)):
            return shared.setdefault(alias, _bounded(alias, client))
        _private[client] = alias
        on_private_client(client)
        return client

    create_connection.__wrapped__ = create  # type: ignore[attr-defined]
    caches.create_connection = create_connection  # type: ignore[method-assign]


def release_caches() -> None:
    """Close this greenlet's own clients; it gets new ones when it needs them."""
    if not _private:
        return
    for client in caches.all(initialized_only=True):
        if client in _private:
            client.close()
            del caches[_private[client]]


def _shareable(backend: type[BaseCache]) -> bool:
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in backend.__mro__}
    return issubclass(backend, _SHAREABLE) or not names.isdisjoint(_SHAREABLE_ELSEWHERE)


def _bounded(alias: str, client: BaseCache) -> BaseCache:
    """The same client; Redis' gets a bounded pool, unless CACHES says otherwise."""
    params: dict[str, Any] = dict(caches.settings[alias])
    options = dict(params.get("OPTIONS") or {})
    if not isinstance(client, RedisCache) or options.keys() & {"pool_class", "max_connections"}:
        return client
    options |= {"pool_class": "redis.BlockingConnectionPool", "max_connections": _CONNECTIONS}
    del params["BACKEND"]
    return type(client)(params.pop("LOCATION", ""), params | {"OPTIONS": options})
