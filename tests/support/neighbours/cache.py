import gc
from weakref import WeakSet

from django.core.cache.backends.locmem import LocMemCache
from gevent import getcurrent, sleep

gc.disable()  # a client that only the garbage collector ends is open for minutes


class Counted:
    """A backend as those of memcached are: a client, which greenlets may not share."""

    open = WeakSet()

    def __init__(self, name, params):
        self.cache = LocMemCache(name, params)
        self.owner = None

    def __getattr__(self, name):
        return getattr(self.cache, name)

    def _use(self):
        self.open.add(self)
        if self.owner is None:
            self.owner = getcurrent()
        sleep(0.01)
        assert self.owner is getcurrent(), "two greenlets use one client"

    def set(self, *args, **kwargs):
        self._use()
        return self.cache.set(*args, **kwargs)

    def get(self, *args, **kwargs):
        self._use()
        return self.cache.get(*args, **kwargs)

    def close(self, **kwargs):
        self.open.discard(self)
        self.owner = None
