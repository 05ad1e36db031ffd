from django_websocket import websocket


@websocket
def room(request, websocket, room):
    websocket.subscribe(f"chat.{room}", since=request.GET)
    for _ in websocket:
        pass  # until the client leaves
