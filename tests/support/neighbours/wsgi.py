from django.core.wsgi import get_wsgi_application

from django_websocket.wsgi import get_wsgi_websocket_application

application = get_wsgi_application()
websocket = get_wsgi_websocket_application()
