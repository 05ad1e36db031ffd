"""The project's own settings, with the apps and URLs of the benchmark and of Channels."""

import os

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as PROJECT_APPS
from project.settings import REDIS_URL

INSTALLED_APPS = [app for app in PROJECT_APPS if app not in {"chat", "examples"}]
ROOT_URLCONF = WEBSOCKET_URLCONF = "django_site.websocket_urls"

# Channels' two ways through Redis. The first is what its documentation starts with.
LAYERS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": LAYERS[os.environ.get("CHANNEL_LAYER", "core")],
        # redis-py's default of 100 connections is too few where thousands come or go at once, and
        # its default timeout is as long as the core layer waits for a message.
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "max_connections": 5000, "socket_timeout": None}]
        },
    },
}
