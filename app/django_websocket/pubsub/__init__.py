"""Publish from anywhere, deliver everywhere.

``publish()`` is one synchronous call from any Django code, with no event loop. Subscribers, in any
process with the same ``WEBSOCKET_BROKER``, get every message once and in order. A subscriber that
reconnects gets what it missed from the channel's history. ``presence()`` returns who is there.
"""

from .api import (
    clear,
    clear_on_commit,
    edit,
    edit_on_commit,
    presence,
    publish,
    publish_on_commit,
    publish_to_user,
    publish_to_user_on_commit,
    retract,
    retract_on_commit,
    subscribe,
)
from .brokers.base import register_broker
from .message import Message, presence_channel
from .users import user_channel

__all__ = [
    "Message",
    "clear",
    "clear_on_commit",
    "edit",
    "edit_on_commit",
    "presence",
    "presence_channel",
    "publish",
    "publish_on_commit",
    "publish_to_user",
    "publish_to_user_on_commit",
    "register_broker",
    "retract",
    "retract_on_commit",
    "subscribe",
    "user_channel",
]
