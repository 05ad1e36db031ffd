"""The app that brings the broker's tables."""

from django.apps import AppConfig


class PostgreSQLBrokerConfig(AppConfig):
    """``django_websocket.pubsub.brokers.postgresql`` in ``INSTALLED_APPS``."""

    name = "django_websocket.pubsub.brokers.postgresql"
    label = "django_websocket_postgresql"
    verbose_name = "WebSockets: broker on PostgreSQL"
