"""The documentation's way: the app, and its two middleware around all others."""

from .settings import *  # noqa: F403

INSTALLED_APPS = ["django_prometheus", *INSTALLED_APPS]  # noqa: F405
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    *MIDDLEWARE,  # noqa: F405
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
