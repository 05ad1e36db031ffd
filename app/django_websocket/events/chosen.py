"""Channels that a client chooses: it subscribes and unsubscribes by events, and a rule decides."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest

from django_websocket.application.requests import Socket
from django_websocket.auth.review import rules
from django_websocket.connection import clientprotocol
from django_websocket.connection.websocket import WebSocket
from django_websocket.pubsub.message import check_channel

__all__ = ["Authorize", "Own", "chosen_channels"]

logger = logging.getLogger("django_websocket")

#: Whether the user of a request may follow a channel.
Authorize = Callable[[HttpRequest, str], Any]

#: Handlers of the library's own events, by name.
Own = dict[str, Callable[[dict[str, Any]], Any]]


@contextmanager
def chosen_channels(
    request: HttpRequest, websocket: Socket, authorize: Authorize | None
) -> Iterator[Own]:
    """The events that a view with ``authorize`` has besides its own, while its socket is open."""
    if authorize is None:
        yield {}
        return
    chosen = _Chosen(request, websocket, authorize)
    rules[websocket] = chosen.recheck
    try:
        yield {"ws.subscribe": chosen.subscribe, "ws.unsubscribe": chosen.unsubscribe}
    finally:
        rules.pop(websocket, None)


class _Chosen:
    def __init__(self, request: HttpRequest, websocket: Socket, authorize: Authorize) -> None:
        self._request = request
        self._websocket = websocket
        self._authorize = authorize
        self._channels: set[str] = set()

    def subscribe(self, event: dict[str, Any]) -> dict[str, str]:
        channel, since = _channel_in(event), event.get("since")
        if not isinstance(since, str | None):
            raise ValidationError("Expected since as the id of a message.", code="invalid_since")
        known = channel in self._channels
        self._channels.add(channel)  # from here on, recheck() sees it
        try:
            if not self._authorize(self._fresh_request(), channel):
                raise PermissionDenied
            position = self._websocket.subscribe(channel, since)
        except BaseException:
            self._channels.discard(channel)
            if known:
                self._websocket.unsubscribe(channel)
            raise
        if channel not in self._channels:  # revoked meanwhile
            raise PermissionDenied
        return {"channel": channel, "id": position}

    def unsubscribe(self, event: dict[str, Any]) -> dict[str, str]:
        channel = _channel_in(event)
        if channel not in self._channels:
            raise ValidationError("You do not follow this channel.", code="not_subscribed")
        self._channels.discard(channel)
        self._websocket.unsubscribe(channel)
        return {"channel": channel}

    def recheck(self) -> None:
        """Leave the channels that the user may no longer follow. Runs in the background."""
        request = self._fresh_request() if self._channels else self._request
        for channel in list(self._channels):
            if not self._may_stay(request, channel) and channel in self._channels:
                self._channels.discard(channel)
                self._websocket.unsubscribe(channel)
                if isinstance(self._websocket, WebSocket):
                    self._websocket._deliver(clientprotocol.unsubscribed(channel))

    def _may_stay(self, request: HttpRequest, channel: str) -> bool:
        try:
            return bool(self._authorize(request, channel))
        except (PermissionDenied, Http404):
            return False
        except Exception:
            logger.exception("Could not check who may follow %r: unsubscribed", channel)
            return False

    def _fresh_request(self) -> HttpRequest:
        """The request, with its user as the database has it now: the user may be hours old."""
        user: Any = getattr(self._request, "user", None)
        if user is None:  # a project without django.contrib.auth, perhaps
            return self._request
        from django.contrib.auth.models import AnonymousUser

        request = copy.copy(self._request)
        model = get_user_model()
        if isinstance(user, model):
            now = model._default_manager.filter(pk=user.pk).first()
            request.user = now or AnonymousUser()
        return request


def _channel_in(event: dict[str, Any]) -> str:
    channel = event.get("channel")
    try:
        check_channel(channel)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValidationError(
            "Expected the name of a channel: 1 to 200 characters without spaces and braces.",
            code="invalid_channel",
        ) from error
    return str(channel)
