"""The documentation says what the code does.

``UPDATE_DOCS=1`` writes the generated parts anew instead of comparing them.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from harness import readme

from django_websocket import checks
from django_websocket.options import known_settings
from support.server import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])


def expect(path: Path, marker: str, text: str) -> None:
    """The part of ``path`` between two comments that name ``marker`` is ``text``."""
    begin, end = f"<!-- {marker} -->\n", f"<!-- /{marker} -->"
    before, rest = path.read_text().split(begin)
    found, after = rest.split(end)
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(before + begin + text + end + after)
        return
    assert found == text, f"{path.name} is out of date: run this with UPDATE_DOCS=1"


def test_every_setting_is_in_the_reference():
    rows = ["| setting | default | what and why |\n", "|---|---|---|\n"]
    for name, field in known_settings().items():
        default = repr(field.default).replace("1048576", "1048576 (1 MiB)")
        rows.append(f"| `{name}` | `{default}` | {field.metadata['reason']} |\n")
    expect(ROOT / "docs/reference/settings.md", "settings", "".join(rows))


def test_every_check_is_in_the_reference():
    listed = re.findall(r"^([EW]\d{3})  (.+)$", checks.__doc__, re.M)
    used = set(re.findall(r'id="django_websocket\.(\w+)"', Path(checks.__file__).read_text()))
    assert {number for number, _ in listed} == used
    rows = ["| id | what is wrong |\n", "|---|---|\n"]
    for number, what in listed:
        rows.append(f"| `django_websocket.{number}` | {what.replace('``', '`')} |\n")
    expect(ROOT / "docs/reference/checks.md", "checks", "".join(rows))


def test_every_environment_variable_of_the_project_is_in_the_reference():
    source = (ROOT / "app/project/settings.py").read_text()
    read = set(re.findall(r'env(?:\.\w+)?\(\s*"(\w+)"', source))
    documented = set(
        re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs/reference/settings.md").read_text(), re.M)
    )
    assert read <= documented
    assert documented <= read | set(known_settings())


def test_the_figures_of_the_readme_are_of_the_latest_run():
    latest = json.loads((ROOT / "benchmarks/results/latest.json").read_text())
    assert readme.table(latest) in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_make_target_that_the_documents_name_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for document in DOCUMENTS:
        named = set(re.findall(r"(?:^\s*|`)make ([a-z-]+)", document.read_text(), re.M))
        assert named <= targets, f"{document.name} names {named - targets}"


def test_the_readme_s_commands_are_what_ci_runs():
    readme = (ROOT / "README.md").read_text()
    assert re.search(r"^\s+make run\b", readme, re.M)
    assert re.search(r"^\s+make test\b", readme, re.M)
    assert "make test" in (ROOT / ".ci/run").read_text()


def test_no_path_of_one_machine_is_committed():
    pattern = r"(^|[^A-Za-z0-9_./])/(home|Users|root)/[a-z]"
    found = subprocess.run(
        ["git", "grep", "-nIE", pattern, "--", ".", ":!tests/unit/test_docs.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert found.stdout == ""


@pytest.mark.parametrize(
    "decision", sorted(ROOT.glob("docs/decisions/[0-9]*.md")), ids=lambda path: path.stem[:4]
)
def test_a_decision_has_a_status_and_a_date(decision):
    status = r"Status: (accepted|proposed|superseded by \d{4}), \d{4}-\d\d-\d\d(; .+)?"
    assert re.fullmatch(status, decision.read_text().splitlines()[2])


def test_no_two_decisions_have_one_number():
    numbers = [path.name[:4] for path in ROOT.glob("docs/decisions/[0-9]*.md")]
    assert len(numbers) == len(set(numbers))


def test_the_close_codes_of_the_library_are_those_in_the_reference():
    table = (ROOT / "docs/reference/api.md").read_text().partition("## Close codes")[2]
    table = table.partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
    documented = {code for row in rows for code in row.split(", ")}
    library = ROOT / "app/django_websocket"
    code = "".join(path.read_text() for path in library.rglob("*.py"))
    used = set(re.findall(r"\b(100[0-9]|101[0-3]|44\d\d)\b", code))
    assert documented == used | {"1002"}  # which the websockets library sends
