import os

from django_websocket.wsgi import get_wsgi_websocket_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "support.site.settings")

websocket = get_wsgi_websocket_application()
