"""A git repository whose files the tests change and commit."""

import subprocess
from pathlib import Path

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")


class Repository:
    """That of the folder ``files``."""

    def __init__(self, files: Path) -> None:
        self.files = files

    def write(self, path: str, text: str, *, append: bool = False) -> None:
        """Change a file, or make one."""
        file = self.files / path
        file.write_text((file.read_text() if append else "") + text)

    def commit(self, message: str) -> str:
        """The revision that has all changes."""
        self.git("add", "--all")
        self.git(*IDENTITY, "commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def go_back_to(self, revision: str) -> None:
        """The files of a commit."""
        self.git("reset", "--quiet", "--hard", revision)

    def git(self, *words: str) -> str:
        """What git prints."""
        return subprocess.run(
            ["git", *words], cwd=self.files, check=True, capture_output=True, text=True
        ).stdout
