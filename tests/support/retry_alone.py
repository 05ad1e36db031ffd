"""``--retry-alone``: what failed runs a second time, alone, when all else is over.

A test that fails again fails the run. One that passes then is unsteady: the run passes, and ends
with its name and both outcomes, for somebody to find the cause. Each such test has a process of its
own, so that one that crashes takes no other along. A file that cannot be collected has no second
chance, nor has anything in a run that did not come to its end (``-x``, Ctrl-C).
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Generator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--retry-alone",
        action="store_true",
        help="run what failed a second time, alone, at the end; what then passes is unsteady",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.option.retry_alone and not hasattr(config, "workerinput"):
        config.pluginmanager.register(RetryAlone(config), "retry-alone")


@dataclasses.dataclass
class Retried:
    first: list[pytest.TestReport]
    passed: bool
    outcome: str


class RetryAlone:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._failed: dict[str, list[pytest.TestReport]] = {}
        self._retried: dict[str, Retried] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.setdefault(report.nodeid, []).append(report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        result = yield
        if self._failed:
            self._terminal.write_line("\n")
            self._terminal.write_sep("-", f"a second time, alone: {len(self._failed)}")
        for test, reports in list(self._failed.items()):
            self._retried[test] = retried = Retried(reports, *self._run(test))
            self._terminal.write_line(f"{test} {retried.outcome}")
            if retried.passed:
                self._take_back(session, retried)
        return result

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """A failure that is reported as unsteady counts as that, and not in any other way."""
        return ("unsteady", "", "") if getattr(report, "unsteady", False) else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self) -> Generator[None, object, object]:
        """After everything else, so that nobody has to look for it."""
        unsteady = [retried for retried in self._retried.values() if retried.passed]
        for retried in unsteady:
            report = retried.first[0]
            self._terminal.write_sep("_", f"first failure of {report.nodeid}", yellow=True)
            for text in (report.longreprtext, *map("\n".join, report.sections)):
                self._terminal.write_line(text)
        result = yield
        if self._retried:
            self._terminal.write_sep("=", "ran a second time, alone", bold=True)
        for test, retried in self._retried.items():
            word = "UNSTEADY" if retried.passed else "FAILED AGAIN"
            self._terminal.write_line(
                f"{word} {test}", yellow=retried.passed, red=not retried.passed
            )
            self._terminal.write_line(f"    at first: {_short(retried.first[0])}")
            self._terminal.write_line(f"    alone:    {retried.outcome}")
        if unsteady:
            self._terminal.write_sep(
                "!", f"{len(unsteady)} unsteady: find the cause and mend it", yellow=True, bold=True
            )
        return result

    @property
    def _terminal(self) -> pytest.TerminalReporter:
        return self._config.pluginmanager.getplugin("terminalreporter")

    def _run(self, test: str) -> tuple[bool, str]:
        """Whether the test passes, and how it went."""
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            ended = subprocess.run(
                [
                    sys.executable, "-m", "pytest", test,
                    "--rootdir", self._config.rootpath,
                    *(["-c", self._config.inipath] if self._config.inipath else []),
                    "--numprocesses=0", "-p", "no:cacheprovider", f"--junitxml={report}",
                ],
                check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                cwd=self._config.rootpath, env=_environment(),
            )  # fmt: skip
            return _outcome(ended, report)

    def _take_back(self, session: pytest.Session, retried: Retried) -> None:
        """Let the failures count no longer, neither for the exit status nor in the summary."""
        session.testsfailed -= len(retried.first)
        stats = self._terminal.stats
        for category, reports in list(stats.items()):
            stats[category] = [report for report in reports if report not in retried.first]
            if not stats[category]:
                del stats[category]  # red is what has a key here
        first = retried.first[0]
        unsteady = pytest.TestReport(
            first.nodeid, first.location, {}, "passed", None, "retry", unsteady=True
        )
        self._config.hook.pytest_runtest_logreport(report=unsteady)


def _environment() -> dict[str, str]:
    """Without what a run in which this one runs has left for its own tests."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")
    }


def _outcome(ended: subprocess.CompletedProcess[str], report: Path) -> tuple[bool, str]:
    if not report.exists():
        last = ended.stdout.strip().rpartition("\n")[2]
        return False, f"ended with status {ended.returncode}: {last}"
    for result in ET.parse(report).iter():
        if result.tag in ("failure", "error", "skipped"):
            word = "skipped" if result.tag == "skipped" else "failed"
            return False, f"{word}: {_first_line(result.get('message', ''))}"
    if ended.returncode != 0:
        return False, f"ended with status {ended.returncode}"
    return True, "passed"


def _short(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else report.longreprtext.strip().rpartition("\n")[2]
    return f"{report.when} failed: {_first_line(text)}".removeprefix("??? failed: ")


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
