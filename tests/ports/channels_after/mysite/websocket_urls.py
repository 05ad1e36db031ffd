from django.urls import path

from chat.websockets import quiet_room, room

urlpatterns = [
    path("ws/chat/<slug:room>/", room, name="chat"),
    path("ws/quiet/<slug:room>/", quiet_room, name="quiet"),
]
