from django.urls import path

from chat.websockets import room

urlpatterns = [path("chat/<slug:room>/", room, name="chat")]
