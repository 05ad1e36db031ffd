"""The documentation's way: the app, and its two middleware around all others."""

import os

from .settings import *  # noqa: F403

INSTALLED_APPS = ["django_prometheus", *INSTALLED_APPS]  # noqa: F405
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    *MIDDLEWARE,  # noqa: F405
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
# Each process of sockets has metrics of its own, and a port for them.
PROMETHEUS_METRICS_EXPORT_PORT = int(os.environ["PROMETHEUS_PORT"])
PROMETHEUS_METRICS_EXPORT_ADDRESS = "127.0.0.1"
