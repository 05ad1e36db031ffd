import os

from django_websocket import get_wsgi_websocket_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "support.metered.settings")

websocket = get_wsgi_websocket_application()
