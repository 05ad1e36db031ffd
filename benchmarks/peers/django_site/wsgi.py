from django_websocket import get_wsgi_websocket_application

websocket = get_wsgi_websocket_application()
