import json
from collections import defaultdict

from django.http import HttpResponse, HttpResponseBadRequest
from geventwebsocket import WebSocketError

ROOMS = defaultdict(set)


def room_socket(request, room):
    websocket = request.META.get("wsgi.websocket")
    if websocket is None:
        return HttpResponseBadRequest("Connect with a WebSocket.")
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
    return HttpResponse()


def broadcast(room, data):
    for client in list(ROOMS[room]):
        try:
            client.send(json.dumps(data))
        except WebSocketError:
            ROOMS[room].discard(client)
