from django.shortcuts import redirect, render

from django_websocket import publish


def room(request, room):
    if request.method == "POST":
        user = request.user.get_username() or "guest"
        publish(f"chat.{room}", {"user": user, "text": request.POST["text"]})
        return redirect(request.path)
    return render(request, "chat/room.html", {"room": room})
