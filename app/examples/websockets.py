"""Four sockets, as short as they can be. Their pages show this code."""

import select
import time

from django.http import HttpRequest
from django.utils import timezone

from django_websocket import WebSocket, publish, subscribe, websocket, websocket_loop


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
    """Waits for its client and a channel at once, and relays between them."""
    client = websocket.fileno()
    with subscribe("examples.select", timeout=0) as channel:
        while not websocket.closed:
            readable, _, _ = select.select([client, channel.fileno()], [], [])
            if client in readable:
                message = websocket.receive()
                if message is not None:
                    publish("examples.select", message)
            for event in channel:  # what has come
                if not event.gap:
                    websocket.send(event.data)
