import re

import pytest

from chat.converters import RoomConverter


@pytest.mark.parametrize(
    ("slug", "fits"),
    [("lobby", True), ("Coffee_break-2", True), ("x" * 50, True), ("x" * 51, False), ("", False)],
)
def test_what_is_a_room(slug, fits):
    assert bool(re.fullmatch(RoomConverter.regex, slug)) is fits
