from django.urls import path

from chat.websockets import classic_room, room

urlpatterns = [
    path("ws/chat/<slug:room>/", room, name="chat"),
    path("ws/classic/<slug:room>/", classic_room),
]
