from datetime import datetime
from typing import Any, Protocol

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from .channels import clear_room_on_commit, publish_changed, publish_posted, take_back
from .models import Announcement, Message, Room, RoomQuerySet


class ActiveRoom(Protocol):
    """What ``RoomQuerySet.with_activity()`` adds to a room."""

    message_count: int
    last_message: datetime | None


@admin.register(Room)
class RoomAdmin(admin.ModelAdmin):
    list_display = ["slug", "message_count", "last_message", "created"]
    search_fields = ["slug"]
    actions = ["empty"]

    @admin.action(description="Delete all messages in selected rooms", permissions=["empty"])
    def empty(self, request: HttpRequest, queryset: RoomQuerySet) -> None:
        rooms = list(queryset)
        count = queryset.empty()
        for room in rooms:
            self.log_change(request, room, "Deleted all messages.")
        self.message_user(request, f"Deleted {count} messages in {len(rooms)} rooms.")

    def save_model(self, request: HttpRequest, obj: Room, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "slug" in form.changed_data:  # the room's messages are in another channel now
            clear_room_on_commit(form.initial["slug"], None)

    def has_empty_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("chat.delete_message")

    def get_queryset(self, request: HttpRequest) -> RoomQuerySet:
        return Room.objects.with_activity()

    @admin.display(description="messages")
    def message_count(self, room: ActiveRoom) -> int:
        return room.message_count

    @admin.display(description="last message", empty_value="none yet")
    def last_message(self, room: ActiveRoom) -> datetime | None:
        return room.last_message


@admin.register(Message)
class MessageAdmin(admin.ModelAdmin):
    """Every change reaches open pages at once; for deletions, see ``Message.delete()``."""

    list_display = ["created", "room", "name", "user", "text"]
    list_display_links = ["text"]
    list_filter = ["room"]
    list_select_related = ["room", "user"]
    search_fields = ["name", "text"]
    autocomplete_fields = ["room", "user"]
    date_hierarchy = "created"
    readonly_fields = ["created"]
    ordering = ["-pk"]

    def save_model(self, request: HttpRequest, obj: Message, form: Any, change: bool) -> None:
        before = Message.objects.select_related("room").get(pk=obj.pk) if change else None
        super().save_model(request, obj, form, change)

        def publish_now() -> None:
            if before is not None and before.room == obj.room:
                publish_changed(obj)
                return
            if before is not None:
                take_back(before.room.slug, [before.pk])
            publish_posted(obj)

        transaction.on_commit(publish_now, robust=True)


@admin.register(Announcement)
class AnnouncementAdmin(admin.ModelAdmin):
    """Every change reaches open pages at once."""

    list_display = ["text", "active", "created"]
    list_editable = ["active"]

    def save_model(self, request: HttpRequest, obj: Announcement, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        Announcement.objects.announce()

    def delete_model(self, request: HttpRequest, obj: Announcement) -> None:
        super().delete_model(request, obj)
        Announcement.objects.announce()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Announcement]) -> None:
        super().delete_queryset(request, queryset)
        Announcement.objects.announce()
