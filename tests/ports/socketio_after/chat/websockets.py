from django_websocket import publish, websocket


@websocket
def room(request, websocket, room):
    user = request.session.get("user", "guest")
    websocket.subscribe(f"chat.{room}")
    for content in websocket.iter_json():
        answer = say(room, user, content["text"])
        websocket.send_json({"answer": content["key"], **answer})


def say(room, user, text):
    if not text.strip():
        return {"error": "Say something."}
    publish(f"chat.{room}", {"user": user, "text": text})
    return {}
