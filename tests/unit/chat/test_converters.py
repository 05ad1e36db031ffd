import re

import pytest

from chat.converters import RoomConverter


@pytest.mark.parametrize(
    ("slug", "fits"),
    [
        *[(slug, True) for slug in ("lobby", "Coffee_break-2", "x" * 50, "кухня", "咖啡", "कमरा")],
        *[(slug, True) for slug in ("می\u200cروم",)],
        *[(slug, False) for slug in ("", "x" * 51, "a b", "a{b}", "a\u0000", "a\u202eb", "☕")],
        *[(slug, False) for slug in ("e\u0301", "a/b", "\ud800")],
    ],
)
def test_what_is_a_room(slug, fits):
    assert (bool(re.fullmatch(RoomConverter.regex, slug)) and converts(slug)) is fits


def converts(slug):
    try:
        return RoomConverter().to_python(slug) == slug
    except ValueError:
        return False
