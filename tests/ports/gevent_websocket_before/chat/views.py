from django.shortcuts import redirect, render

from .websockets import broadcast


def room(request, room):
    if request.method == "POST":
        broadcast(room, {"user": "bell", "text": "ding"})
        return redirect(request.path)
    return render(request, "chat/room.html", {"room": room})
