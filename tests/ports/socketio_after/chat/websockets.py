from django.core.exceptions import ValidationError

from django_websocket import publish, websocket_events


@websocket_events
def room(request, websocket, room):
    websocket.subscribe(f"chat.{room}", since=request.GET)


@room.event
def say(request, websocket, data, room):
    if not data["text"].strip():
        raise ValidationError("Say something.")
    user = request.session.get("user", "guest")
    publish(f"chat.{room}", {"user": user, "text": data["text"]})
