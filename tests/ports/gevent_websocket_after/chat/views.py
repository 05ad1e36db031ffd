from django.shortcuts import redirect, render

from django_websocket import publish


def room(request, room):
    if request.method == "POST":
        publish(f"chat.{room}", {"user": "bell", "text": "ding"})
        return redirect(request.path)
    return render(request, "chat/room.html", {"room": room})
