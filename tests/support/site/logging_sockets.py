import logging
from contextvars import copy_context

import gevent
from django.urls import path

from django_websocket import publish, websocket

logger = logging.getLogger("site")


@websocket
def talks(request, websocket):
    for message in websocket:
        logger.info(message)
        publish("logs", message)
        gevent.spawn(copy_context().run, logger.info, "in a greenlet of the view's").join()
        websocket.send(request.id)


def handshake(request):
    logger.info("the handshake")
    return talks(request)


urlpatterns = [path("logs/", handshake)]
