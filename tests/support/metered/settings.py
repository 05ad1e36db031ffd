import os

import dj_database_url

SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = WEBSOCKET_URLCONF = "support.metered.sockets"
INSTALLED_APPS = ["django_websocket"]
MIDDLEWARE = ["django_websocket.middleware.MetricsMiddleware"]
DATABASES = {"default": dj_database_url.parse(os.environ["SITE_DATABASE"])}
DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 1, "timeout": 1}
WEBSOCKET_BROKER = os.environ["SITE_BROKER"]
WEBSOCKET_SEND_BUFFER_SIZE = 65536
WEBSOCKET_RECEIVE_QUEUE_SIZE = 4
WEBSOCKET_MAX_CONNECTIONS = 21
WEBSOCKET_MAX_SOCKETS_PER_ADDRESS = 20
WEBSOCKET_HANDSHAKE_RATE = 30
WEBSOCKET_PRESENCE_LINGER = 0
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
