from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from .channels import tell_everyone
from .models import Announcement, Message, Room


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


@admin.register(Announcement)
class AnnouncementAdmin(admin.ModelAdmin):
    """Every change reaches the open windows."""

    list_display = ["text", "active", "created"]
    list_editable = ["active"]

    def save_model(self, request: HttpRequest, obj: Announcement, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        tell_everyone()

    def delete_model(self, request: HttpRequest, obj: Announcement) -> None:
        super().delete_model(request, obj)
        tell_everyone()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Announcement]) -> None:
        super().delete_queryset(request, queryset)
        tell_everyone()
