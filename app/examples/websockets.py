"""Four sockets, as short as they can be. Their pages show this code."""

import select
import time

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from redis import Redis

from django_websocket import WebSocket, websocket, websocket_loop


@websocket
def echo(request: HttpRequest, websocket: WebSocket) -> None:
    """Sends back whatever it gets, text as text and binary as binary."""
    for message in websocket:
        websocket.send(message)


@websocket_loop
def ping(request: HttpRequest, websocket: WebSocket, message: str | bytes) -> None:
    """Answers ping with pong and pong with ping, and is silent otherwise."""
    if message == "ping":
        websocket.send("pong")
    elif message == "pong":
        websocket.send("ping")


@websocket
def ticker(request: HttpRequest, websocket: WebSocket) -> None:
    """Sends the time every second, until the client leaves."""
    while not websocket.closed:
        websocket.send(timezone.now().isoformat(timespec="seconds"))
        time.sleep(1)


@websocket
def select_loop(request: HttpRequest, websocket: WebSocket) -> None:
    """Waits for its client and for Redis at once, and relays between the two."""
    with Redis.from_url(settings.REDIS_URL) as redis, redis.pubsub() as pubsub:
        pubsub.subscribe("examples.select")
        while not websocket.closed:
            client, server = websocket.handler.socket, pubsub.connection._sock
            readable, _, _ = select.select([client, server], [], [])
            if client in readable:
                message = websocket.receive()
                if message is not None:
                    redis.publish("examples.select", message)
            if server in readable:
                while event := pubsub.get_message():
                    if event["type"] == "message":
                        websocket.send(event["data"].decode(errors="replace"))
