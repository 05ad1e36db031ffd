"""A site whose sockets write to the log, as JSON."""

import os

from django_websocket.logs import JSON_FORMATTER

SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django_websocket"]
MIDDLEWARE = ["django_websocket.middleware.RequestIDMiddleware"]
ROOT_URLCONF = WEBSOCKET_URLCONF = "support.site.logging_sockets"
WEBSOCKET_BROKER = os.environ["SITE_BROKER"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": JSON_FORMATTER},
    "filters": {"request": {"()": "django_websocket.logs.RequestFields"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "filters": ["request"],
        }
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"django_websocket.publish": {"level": "DEBUG"}},
}
