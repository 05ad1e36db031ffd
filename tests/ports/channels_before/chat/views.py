from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.shortcuts import redirect, render


def room(request, room):
    if request.method == "POST":
        async_to_sync(get_channel_layer().group_send)(
            f"chat_{room}",
            {
                "type": "chat.message",
                "user": "bell",
                "text": "ding",
            },
        )
        return redirect(request.path)
    return render(request, "chat/room.html", {"room": room})
