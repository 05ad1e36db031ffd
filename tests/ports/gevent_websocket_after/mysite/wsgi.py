import os

from django.core.wsgi import get_wsgi_application

from django_websocket import get_wsgi_websocket_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

application = get_wsgi_application()
websocket = get_wsgi_websocket_application()
