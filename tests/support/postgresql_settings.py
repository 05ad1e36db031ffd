"""The project without Redis: its broker is its own database."""

from project.settings import *  # noqa: F403

INSTALLED_APPS += ["django_websocket.pubsub.brokers.postgresql"]  # noqa: F405
WEBSOCKET_BROKER = "postgresql://"
