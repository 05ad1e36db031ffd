"""``redis://``, ``rediss://``, ``unix://``: messages between all processes with the same Redis.

Redis 7 or Valkey, through redis-py, which also knows Sentinel and Cluster.
"""

from .broker import RedisBroker

__all__ = ["RedisBroker"]
