"""The chat's pages. Each room's socket has the URL of its page; see websockets.py."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from .channels import HISTORY
from .forms import MessageForm, PageForm, RoomForm
from .models import Announcement, Message, Room


def rooms(request: HttpRequest) -> HttpResponse:
    """List the rooms; ``?room=name`` redirects to a room, which need not exist yet."""
    form = RoomForm(request.GET or None)
    if form.is_valid():
        return redirect("chat:room", room=form.cleaned_data["room"])
    context = {"form": form, "rooms": Room.objects.with_activity()[:50]}
    return render(request, "chat/rooms.html", context)


@never_cache  # so that no message is missing between the page's and the socket's
def room(request: HttpRequest, room: str) -> HttpResponse:
    """Show a room with its last messages, so that the page is useful even without its socket."""
    latest = Message.objects.latest_in(room)
    context = {
        "room": room,
        "chat_messages": latest,
        "more": len(latest) == HISTORY,
        "announcement": Announcement.objects.current(),
        "form": MessageForm(user=request.user),
    }
    return render(request, "chat/room.html", context)


@never_cache
def messages(request: HttpRequest, room: str) -> JsonResponse:
    """The last messages of a room, or those ``?before=`` the message with this id."""
    form = PageForm(request.GET)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors.get_json_data()}, status=400)
    found = Message.objects.latest_in(room, before=form.cleaned_data["before"])
    return JsonResponse(
        {"messages": [message.as_dict() for message in found], "more": len(found) == HISTORY}
    )
