"""The project's two WSGI applications: pages and sockets.

nginx is the only way in and overwrites the X-Forwarded headers (deploy/nginx/). A page's client is
taken from them here; a socket's by the worker, from the proxies in gunicorn's
``forwarded_allow_ips`` alone.
"""

import os

from django.core.wsgi import get_wsgi_application
from werkzeug.middleware.proxy_fix import ProxyFix

from django_websocket import get_wsgi_websocket_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = ProxyFix(get_wsgi_application(), x_for=1, x_proto=1)
websocket = get_wsgi_websocket_application()
