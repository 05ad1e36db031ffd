import json

from django.shortcuts import redirect, render
from ws4redis.publisher import RedisPublisher
from ws4redis.redis_store import RedisMessage


def room(request, room):
    if request.method == "POST":
        user = request.user.get_username() or "guest"
        text = json.dumps({"user": user, "text": request.POST["text"]})
        publisher = RedisPublisher(facility=room, broadcast=True)
        publisher.publish_message(RedisMessage(text))
        return redirect(request.path)
    return render(request, "chat/room.html", {"room": room})
