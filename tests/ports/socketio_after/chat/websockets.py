from django_websocket import parse_request, publish, websocket


@websocket
def room(request, websocket, room):
    user = request.session.get("user", "guest")
    websocket.subscribe(f"chat.{room}", since=request.GET)
    for message in websocket:
        if question := parse_request(websocket, message):
            say(question, room, user)


def say(question, room, user):
    text = question.data["text"]
    if not text.strip():
        question.refuse("Say something.")
        return
    publish(f"chat.{room}", {"user": user, "text": text})
    question.reply()
