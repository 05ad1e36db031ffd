from django.urls import path

from chat.views import room
from chat.websockets import room_socket

urlpatterns = [
    path("chat/<slug:room>/", room),
    path("ws/chat/<slug:room>/", room_socket),
]
