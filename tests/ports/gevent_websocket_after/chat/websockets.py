import json
from collections import defaultdict

from django_websocket import ConnectionClosed, publish, websocket

ROOMS = defaultdict(set)


@websocket
def classic_room(request, websocket, room):
    user = request.user.get_username() or "guest"
    ROOMS[room].add(websocket)
    try:
        while True:
            message = websocket.receive()
            if message is None:
                break
            broadcast(room, {"user": user, "text": json.loads(message)["text"]})
    finally:
        ROOMS[room].discard(websocket)


def broadcast(room, data):
    for client in list(ROOMS[room]):
        try:
            client.send(json.dumps(data))
        except ConnectionClosed:
            ROOMS[room].discard(client)


@websocket
def room(request, websocket, room):
    user = request.user.get_username() or "guest"
    websocket.subscribe(f"chat.{room}", since=request.GET)
    for content in websocket.iter_json():
        publish(f"chat.{room}", {"user": user, "text": content["text"]})
