"""The WSGI application of the sockets, for ``project/wsgi.py``."""

from __future__ import annotations

import django
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from gevent.monkey import is_module_patched

from .application.cycle import WebSocketWSGIHandler
from .application.requests import WebSocketRequest
from .application.warmup import warm_up
from .conf import get_options
from .database import remember_cache_client, reset_pooled_connections
from .errors import ImproperSetting
from .patches.caches import share_cache_clients
from .patches.eventloops import give_each_greenlet_its_own
from .patches.logs import log_refusals_in_one_line
from .pubsub.process import get_dispatcher

__all__ = ["get_wsgi_websocket_application"]


def get_wsgi_websocket_application() -> WebSocketWSGIHandler:
    """The WSGI application that serves the sockets of ``WEBSOCKET_URLCONF``.

    Works like Django's ``get_wsgi_application()``. Raises :class:`ImproperSetting` for a wrong
    setting and, in a worker, for a urlconf that cannot be imported. Raises
    ``ImproperlyConfigured`` without ``django_websocket`` in ``INSTALLED_APPS``.
    """
    django.setup(set_prefix=False)
    if not apps.is_installed("django_websocket"):
        raise ImproperlyConfigured(
            "Sockets would stay open after their user logs out, as nothing receives Django's "
            'signals: add "django_websocket" to INSTALLED_APPS'
        )
    if get_options().urlconf is None:
        raise ImproperSetting("WEBSOCKET_URLCONF is not set: name your urlconf module")
    log_refusals_in_one_line(WebSocketRequest)
    reset_pooled_connections()
    application = WebSocketWSGIHandler(get_dispatcher)
    if is_module_patched("threading"):  # in a worker, the stock one as well
        give_each_greenlet_its_own()
        share_cache_clients(remember_cache_client)
        warm_up()
        get_dispatcher()  # which imports the broker's client
    return application
