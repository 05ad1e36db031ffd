"""Docs, pages, comments, docstrings and messages use the terms that a reader would search for."""

import re
import subprocess

import pytest

from support.server import ROOT

BETTER = {
    "outbound": "send buffer",
    "attendance": "presence",
    "attendees": "presence",
    "lagging": "paused, full",
    "the wire": "the frames, the stream",
    "told": "notified, published, configured",
    "hear": "receive, subscribe",
    "hears": "receives, subscribes",
    "heard": "received, subscribed",
    "believe": "trust",
    "believes": "trusts",
    "believed": "trusted",
    "deaf": "discarding",
    "crowded": "senders are waiting",
    "in vain": "failed, without success",
    "what is not yet": "name the thing",
    "whoever": "anyone who, the process that",
    "for good": "permanently",
    "without a crack": "with nothing lost in between",
    "JSON can say": "JSON-serialisable",
}
# An identifier, such as `_heard`, is one word with its underscore; a name is not a sentence.
LOWER = {word.lower(): better for word, better in BETTER.items()}
WORDS = re.compile(rf"\b({'|'.join(BETTER)})\b", re.IGNORECASE)
PLACES = ["*.md", "docs", "deploy", "ansible", "app", "benchmarks"]
KINDS = (".md", ".py", ".js", ".html", ".css", ".conf", ".yml", ".lua", ".j2", ".txt", ".toml")


def committed(places: list[str]) -> list[str]:
    """The text files of the repository below ``places``."""
    command = ["git", "ls-files", "--", *places]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if name.endswith(KINDS)]


def unclear(name: str) -> list[str]:
    """``file:line: word -> better term`` for each word of ``name`` that has a clearer one."""
    return [
        f"{name}:{number}: {found} -> {LOWER[found.lower()]}"
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1)
        for found in WORDS.findall(line)
    ]


def test_nothing_says_what_has_a_clearer_term():
    found = [each for name in committed(PLACES) for each in unclear(name)]
    assert not found, "\n" + "\n".join(found)


def test_the_search_reads_documents_pages_and_code():
    names = committed(PLACES)
    for kind in (".md", ".py", ".js", ".html", ".conf", ".yml"):
        assert any(name.endswith(kind) for name in names), kind


@pytest.mark.parametrize("word", ["told", "Whoever", "for good", "json can say"])
def test_the_search_finds_a_word_and_names_its_line(word, tmp_path):
    path = tmp_path / "page.md"
    path.write_text(f"A first line.\nThis is {word}, as one says.\n")
    (line,) = unclear(str(path))
    assert line.startswith(f"{path}:2: {word} -> ")


def test_an_identifier_is_no_word(tmp_path):
    path = tmp_path / "code.py"
    path.write_text("self._heard = told_apart(hearing)\n")
    assert unclear(str(path)) == []
