import os

SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = WEBSOCKET_URLCONF = "support.channels.urls"
INSTALLED_APPS = ["django_websocket"]
WEBSOCKET_BROKER = os.environ["CHANNELS_BROKER"]
WEBSOCKET_COMPRESSION_THRESHOLD = 0 if "CHANNELS_COMPRESSION" in os.environ else None
WEBSOCKET_CLOSE_TIMEOUT = float(os.environ.get("CHANNELS_CLOSE_TIMEOUT", "5"))
WEBSOCKET_PRESENCE_TTL = float(os.environ.get("CHANNELS_PRESENCE_TTL", "30"))
WEBSOCKET_PRESENCE_LINGER = float(os.environ.get("CHANNELS_PRESENCE_LINGER", "2"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
