import os

from django.core.wsgi import get_wsgi_application
from django_websocket import get_wsgi_websocket_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application = get_wsgi_application()
sockets = get_wsgi_websocket_application()
