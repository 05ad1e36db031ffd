"""The chat's pages. Each room's socket has the URL of its page; see websockets.py."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from .forms import MessageForm, RoomForm
from .models import Message, Room


def rooms(request: HttpRequest) -> HttpResponse:
    """List the rooms; ``?room=name`` leads to a room, which need not exist yet."""
    form = RoomForm(request.GET or None)
    if form.is_valid():
        return redirect("chat:room", room=form.cleaned_data["room"])
    context = {"form": form, "rooms": Room.objects.with_activity()[:50]}
    return render(request, "chat/rooms.html", context)


def room(request: HttpRequest, room: str) -> HttpResponse:
    """Show a room with its last messages, so that it reads well even without its socket."""
    context = {
        "room": room,
        "chat_messages": Message.objects.latest_in(room),
        "form": MessageForm(user=request.user),
    }
    return render(request, "chat/room.html", context)
