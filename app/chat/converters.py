from django.urls.converters import SlugConverter


class RoomConverter(SlugConverter):
    """A slug that fits into ``Room.slug``."""

    regex = "[-a-zA-Z0-9_]{1,50}"
