"""Publish each line of the standard input, as a page of the same Django project does."""

import sys

import django

django.setup()

from django_websocket.pubsub import publish  # noqa: E402

for line in sys.stdin:
    publish("fanout", line.rstrip("\n"))
