from django.urls import path

from chat.websockets import plain_room, quiet_room, room

urlpatterns = [
    path("ws/chat/<slug:room>/", room, name="chat"),
    path("ws/plain/<slug:room>/", plain_room, name="plain"),
    path("ws/quiet/<slug:room>/", quiet_room, name="quiet"),
]
