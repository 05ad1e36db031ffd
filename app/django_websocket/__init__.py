"""WebSockets for synchronous Django, served by gunicorn and gevent.

Nothing is imported here: gunicorn loads ``django_websocket.worker`` before gevent has patched the
standard library.
"""

__version__ = "0.1.0"
