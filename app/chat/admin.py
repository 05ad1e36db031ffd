from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from .models import Message, Room


@admin.register(Room)
class RoomAdmin(admin.ModelAdmin):
    list_display = ["slug", "message_count", "last_message", "created"]
    search_fields = ["slug"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Room]:
        return super().get_queryset(request).with_activity()

    @admin.display(description="messages")
    def message_count(self, room: Room) -> int:
        return room.message_count

    @admin.display(description="last message", empty_value="none yet")
    def last_message(self, room: Room) -> object:
        return room.last_message


@admin.register(Message)
class MessageAdmin(admin.ModelAdmin):
    list_display = ["created", "room", "name", "user", "text"]
    list_display_links = ["text"]
    list_filter = ["room"]
    list_select_related = ["room", "user"]
    search_fields = ["name", "text"]
    autocomplete_fields = ["room", "user"]
    date_hierarchy = "created"
    readonly_fields = ["created"]
    ordering = ["-pk"]
