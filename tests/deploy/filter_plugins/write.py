"""Writes text on the controller. A module for each file would take a process each."""

from pathlib import Path


def write(text: str, path: str) -> str:
    """Returns the path."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return path


class FilterModule:
    def filters(self):
        return {"write": write}
