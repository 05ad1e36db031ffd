"""Signals of Django's kind: a socket has opened, has closed, a message has arrived.

::

    @receiver(socket_closed)
    def note(request, websocket, **kwargs):
        logger.info("%s left with %s", request.user, websocket.close_code)

The sender is the class :class:`~django_websocket.connection.websocket.WebSocket`. Receivers run in
the greenlet of the socket's view, which waits for them. What they raise is logged by
``django.dispatch``, and the socket goes on. Connect them before the first socket opens, as in
``AppConfig.ready()``: without a receiver, a signal costs nothing.
"""

from django.dispatch import Signal

__all__ = ["message_received", "socket_closed", "socket_opened"]

#: The handshake is accepted, and the view begins. Arguments: ``request``, ``websocket``.
socket_opened = Signal()

#: The view has ended, and ``websocket.close_code`` is known. The same arguments.
socket_closed = Signal()

#: The view takes a message: ``message``, ``str`` or ``bytes``, beside the same arguments.
message_received = Signal()
