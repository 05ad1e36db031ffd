from django_websocket.wsgi import get_wsgi_websocket_application

websocket = get_wsgi_websocket_application()
