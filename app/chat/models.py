"""Rooms and their messages."""

from collections import defaultdict
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models, transaction

from .channels import HISTORY, clear_room_on_commit, publish_announcement, take_back_on_commit
from .converters import LONGEST

#: What ``delete()`` returns: the number of rows, in total and by model.
Deleted = tuple[int, dict[str, int]]


class RoomQuerySet(models.QuerySet["Room"]):
    def with_activity(self) -> "RoomQuerySet":
        """Each room with its number of messages and the time of the last one, latest first."""
        return self.annotate(
            message_count=models.Count("messages"), last_message=models.Max("messages__created")
        ).order_by(models.F("last_message").desc(nulls_last=True), "slug")

    def delete(self) -> Deleted:
        """Delete the rooms and their messages, also from open pages."""
        slugs = list(self.values_list("slug", flat=True))
        deleted = super().delete()
        for slug in slugs:
            clear_room_on_commit(slug, self.db)
        return deleted

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def empty(self) -> int:
        """Delete all messages of the rooms, also from open pages; return how many there were."""
        rooms = dict(self.values_list("pk", "slug"))
        with transaction.atomic(using=self.db):
            count, _ = models.QuerySet.delete(Message.objects.filter(room__in=rooms))
            for slug in rooms.values():
                clear_room_on_commit(slug, self.db)
        return count

    empty.alters_data = True  # type: ignore[attr-defined]


class Room(models.Model):
    """A chat room. Its first message creates it."""

    slug = models.CharField(max_length=LONGEST, unique=True)
    created = models.DateTimeField(auto_now_add=True)

    objects = RoomQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug

    def delete(self, *args: Any, **kwargs: Any) -> Deleted:
        """Delete the room and its messages, also from open pages."""
        deleted = super().delete(*args, **kwargs)
        clear_room_on_commit(self.slug, kwargs.get("using") or self._state.db)
        return deleted


class MessageQuerySet(models.QuerySet["Message"]):
    def latest_in(
        self, slug: str, *, before: int | None = None, count: int = HISTORY
    ) -> list["Message"]:
        """The last ``count`` messages of a room, or those before a message's id, oldest first."""
        messages = self.filter(room__slug=slug)
        if before is not None:
            messages = messages.filter(pk__lt=before)
        return list(reversed(messages.order_by("-pk")[:count]))

    def post(
        self, slug: str, *, user: Any, name: str, colour: str, text: str, key: UUID | None = None
    ) -> "Message":
        """Store a message of ``user`` (or AnonymousUser), only once for the same ``key``."""
        room, _ = Room.objects.get_or_create(slug=slug)
        author = user if user.is_authenticated else None
        said = {"user": author, "name": name, "colour": colour, "text": text}
        return self.get_or_create(room=room, key=key or uuid4(), defaults=said)[0]

    def written_by(self, user: Any, key: UUID | None) -> "MessageQuerySet":
        """A member's own messages; the one that a guest, who alone knows it, sent with ``key``."""
        if user.is_authenticated:
            return self.filter(user=user)
        return self.filter(user=None, key=key) if key else self.none()

    def delete(self) -> Deleted:
        """Delete the messages, also from open pages and the rooms' histories."""
        ids = defaultdict(list)
        for room, pk in self.values_list("room__slug", "pk"):
            ids[room].append(pk)
        deleted = super().delete()
        for room, gone in ids.items():
            take_back_on_commit(room, gone, self.db)
        return deleted

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


class Message(models.Model):
    """One message, with its author's name and colour at that time."""

    room = models.ForeignKey(
        Room, on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    name = models.CharField(max_length=150)
    colour = models.CharField(max_length=7, help_text="Red, green and blue as in #1a2b3c.")
    text = models.TextField(max_length=1000)
    created = models.DateTimeField(auto_now_add=True)
    edited = models.DateTimeField(null=True, editable=False)
    # From the client, which sends the message again if the answer was lost.
    key = models.UUIDField(null=True, editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["room", "-id"], name="chat_message_latest")]
        constraints = [models.UniqueConstraint(fields=["room", "key"], name="chat_message_once")]

    def __str__(self) -> str:
        return f"{self.name}: {self.text[:40]}"

    def delete(self, *args: Any, **kwargs: Any) -> Deleted:
        """Delete the message, also from open pages and the room's history."""
        room, pk = self.room.slug, self.pk
        deleted = super().delete(*args, **kwargs)
        take_back_on_commit(room, [pk], kwargs.get("using") or self._state.db)
        return deleted

    def as_dict(self) -> dict[str, Any]:
        """The fields of this message that a client receives."""
        return {
            "id": self.pk,
            "name": self.name,
            "member": self.user_id is not None,
            "colour": self.colour,
            "text": self.text,
            "created": self.created.isoformat(),
            "edited": self.edited is not None,
        }


class AnnouncementQuerySet(models.QuerySet["Announcement"]):
    def current(self) -> "Announcement | None":
        """The announcement that pages show."""
        return self.filter(active=True).order_by("-pk").first()

    def announce(self) -> None:
        """Have all open pages show the current one, or none, after the commit."""
        current = self.current()
        publish_announcement(current.text if current else "")


class Announcement(models.Model):
    """A message to everyone, above every room. The latest active one is shown."""

    text = models.CharField(max_length=200)
    active = models.BooleanField(default=True, help_text="Untick to take it off the pages.")
    created = models.DateTimeField(auto_now_add=True)

    objects = AnnouncementQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.text
