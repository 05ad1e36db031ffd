import os

from django_websocket.wsgi import get_wsgi_websocket_application

os.environ["DJANGO_SETTINGS_MODULE"] = "support.channels.settings"
websocket = get_wsgi_websocket_application()
