"""The chat's pages."""

from django.urls import path

from . import views

app_name = "chat"
urlpatterns = [
    path("", views.rooms, name="rooms"),
    path("<room:room>/", views.room, name="room"),
    path("<room:room>/messages/", views.messages, name="messages"),
]
