from django.apps import AppConfig
from django.urls import register_converter


class ChatConfig(AppConfig):
    name = "chat"

    def ready(self) -> None:
        from .converters import RoomConverter

        register_converter(RoomConverter, "room")
