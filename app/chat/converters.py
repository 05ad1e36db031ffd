"""What a room is called, in its URL and in the database."""

import unicodedata

LONGEST = 50

#: Invisible, and part of the spelling in Persian, Hindi and other languages.
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


def slug(name: str) -> str:
    """The letters, marks and digits of a name, of any script, with hyphens for its spaces."""
    text = "-".join(unicodedata.normalize("NFKC", name).lower().split())
    return "".join(filter(_fits, text))[:LONGEST].strip(f"-_{JOINERS}")


def _fits(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN" or char in f"-_{JOINERS}"


class RoomConverter:
    """A room's slug."""

    regex = f"[^/]{{1,{LONGEST}}}"

    def to_python(self, value: str) -> str:
        """Raises ``ValueError``, and the page is not found, for what no slug contains."""
        if not all(map(_fits, value)) or not unicodedata.is_normalized("NFKC", value):
            raise ValueError(value)
        return value

    def to_url(self, value: str) -> str:
        return value
