"""The project's two WSGI applications: pages and sockets.

nginx is the only way in and overwrites the X-Forwarded headers (deploy/nginx/), so the client's
address and scheme are taken from them.
"""

import os

from django.core.wsgi import get_wsgi_application
from werkzeug.middleware.proxy_fix import ProxyFix

from django_websocket.wsgi import get_wsgi_websocket_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = ProxyFix(get_wsgi_application(), x_for=1, x_proto=1)
websocket = ProxyFix(get_wsgi_websocket_application(), x_for=1, x_proto=1)
