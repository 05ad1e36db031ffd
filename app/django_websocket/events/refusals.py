"""What a client gets for an exception of a handler."""

from __future__ import annotations

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.http import Http404

from django_websocket.errors import TooManyChannels

from .requests import Error, refusal

__all__ = ["refusal_of"]


def refusal_of(error: Exception) -> Error | None:
    """What the client gets for an exception of a handler; None for a bug."""
    if isinstance(error, ValidationError):
        return _invalid(error)
    if isinstance(error, PermissionDenied):
        return refusal("forbidden", str(error) or "You do not have permission to do that.")
    if isinstance(error, Http404):
        return refusal("not_found", "This does not exist.")
    if isinstance(error, TooManyChannels):
        return refusal("too_many_channels", "You follow too many channels.")
    return None


def _invalid(error: ValidationError) -> Error:
    if not hasattr(error, "error_dict"):
        code = getattr(error, "code", None) or "invalid"
        return refusal(code, " ".join(error.messages))
    fields = {field: [*map(str, found)] for field, found in error.message_dict.items()}
    sentences = [
        sentence if field == NON_FIELD_ERRORS else f"{field}: {sentence}"
        for field, found in fields.items()
        for sentence in found
    ]
    return refusal("invalid", " ".join(sentences), fields)
