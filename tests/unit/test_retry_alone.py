"""What failed runs a second time, alone; see tests/support/retry_alone.py."""

import functools
import os
import re
import subprocess
import sys
import textwrap

import pytest

from support.server import PATIENCE, ROOT

GOOD = """
    def test_good():
        pass
"""
#: Each fails until it has once been called.
UNSTEADY = """
    from pathlib import Path
    import pytest

    def once(name):
        path = Path(__file__).with_name(name)
        first = not path.exists()
        path.touch()
        return first

    @pytest.mark.parametrize("name", ["a b::c[d]"])
    def test_flaky(name):
        print("the first time it says")
        assert not once("call"), "not yet"

    @pytest.fixture
    def breaks_at_setup():
        if once("setup"):
            raise RuntimeError("no place free")

    def test_setup(breaks_at_setup):
        pass

    @pytest.fixture(scope="module")
    def breaks_at_the_end():
        yield
        if once("teardown"):
            raise RuntimeError("still open")

    def test_teardown(breaks_at_the_end):
        pass
"""
BESIDE_OTHERS = """
    def test_beside_others(worker_id):
        assert worker_id == "master"
"""
CRASHES_ONCE = """
    import os
    from pathlib import Path

    def test_crash_once():
        path = Path(__file__).with_name("crash")
        if not path.exists():
            path.touch()
            os._exit(7)
"""
BROKEN = """
    import os, pytest

    def test_broken():
        assert 1 == 2

    @pytest.fixture(scope="module")
    def nothing():
        raise RuntimeError("never")

    def test_without_fixture(nothing):
        pass
"""
CRASHES = """
    import os

    def test_crash():
        os._exit(7)
"""
CRASHES_THEN = """
    import os
    from pathlib import Path

    def test_crashes_then():
        path = Path(__file__).with_name("then")
        if path.exists():
            os._exit(7)
        path.touch()
        raise RuntimeError("first")
"""
SKIPS_THEN = """
    import pytest
    from pathlib import Path

    def test_skips_then():
        path = Path(__file__).with_name("skip")
        if path.exists():
            pytest.skip("gone")
        path.touch()
        raise RuntimeError("first")
"""


AT_ONCE = ("--numprocesses=2", "--dist=loadfile")


@pytest.fixture
def suite(tmp_path):
    """Runs a suite of these files; returns the exit status and what is printed."""

    def run(*arguments, **files):
        (tmp_path / "pytest.ini").write_text(
            f"[pytest]\npythonpath = {ROOT / 'tests'}\naddopts = -p xdist\n"
        )
        (tmp_path / "conftest.py").write_text('pytest_plugins = ["support.retry_alone"]\n')
        for name, text in files.items():
            (tmp_path / f"test_{name}.py").write_text(textwrap.dedent(text))
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
            timeout=PATIENCE, env=_environment(),
        )  # fmt: skip
        return ended.returncode, ended.stdout

    return run


def _environment():
    """As outside of any run of pytest; and with no plugin that takes long to load."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return outside | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@pytest.fixture(params=[(), AT_ONCE], ids=["one by one", "at once"])
def run(request, suite):
    return functools.partial(suite, "--retry-alone", *request.param)


def counts(output):
    """The closing line, as CI reads it."""
    closing = output.rstrip().rpartition("\n")[2]
    assert re.fullmatch(r"=+ .+ in [\d.]+s =+", closing), output
    return {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", closing)}


def outcomes(output):
    """Of each test that ran a second time, what the end of the output says."""
    end = output.partition("= ran a second time, alone")[2]
    found = re.findall(
        r"^([A-Z ]+) test_\w+\.py::(.+)\n +at first: (.+)\n +alone: +(.+)$", end, re.M
    )
    return {name: (word, first, alone) for word, name, first, alone in found}


def test_what_passes_then_is_unsteady_and_printed_with_both_outcomes(run):
    status, output = run(good=GOOD, unsteady=UNSTEADY)
    assert status == 0, output
    assert counts(output) == {"passed": 2, "unsteady": 3}  # a fixture ends after a test has passed
    assert outcomes(output) == {
        "test_flaky[a b::c[d]]": ("UNSTEADY", "call failed: AssertionError: not yet", "passed"),
        "test_setup": ("UNSTEADY", "setup failed: RuntimeError: no place free", "passed"),
        "test_teardown": ("UNSTEADY", "teardown failed: RuntimeError: still open", "passed"),
    }
    assert "3 unsteady" in output.splitlines()[-2]
    assert "the first time it says" in output  # what one needs to find the cause


def test_what_fails_again_or_is_skipped_fails_the_run(run):
    status, output = run(good=GOOD, broken=BROKEN, skips=SKIPS_THEN)
    assert status == 1
    assert counts(output) == {"failed": 2, "passed": 1, "error": 1}
    found = outcomes(output)
    assert found["test_broken"] == (
        "FAILED AGAIN", "call failed: assert 1 == 2", "failed: assert 1 == 2",
    )  # fmt: skip
    assert found["test_without_fixture"][:2] == (
        "FAILED AGAIN",
        "setup failed: RuntimeError: never",
    )
    assert "RuntimeError: never" in found["test_without_fixture"][2]
    assert found["test_skips_then"][2].startswith("skipped")


def test_one_that_fails_beside_others_only_and_one_that_crashes_once_are_unsteady(suite):
    status, output = suite("--retry-alone", *AT_ONCE, beside=BESIDE_OTHERS, once=CRASHES_ONCE)
    assert (status, counts(output)["unsteady"]) == (0, 2)
    found = outcomes(output)
    assert found["test_beside_others"][::2] == ("UNSTEADY", "passed")
    assert "crashed while running" in found["test_crash_once"][1]


def test_one_that_crashes_again_and_again_fails_the_run(suite):
    arguments = ("--retry-alone", *AT_ONCE, "--max-worker-restart=1")
    status, output = suite(*arguments, good=GOOD, crashes=CRASHES)
    assert status != 0
    assert "failed" in counts(output)
    assert "UNSTEADY" not in output


def test_a_second_time_that_crashes_has_failed(suite):
    status, output = suite("--retry-alone", then=CRASHES_THEN)
    assert (status, counts(output)) == (1, {"failed": 1})
    assert outcomes(output)["test_crashes_then"][2].startswith("ended with status 7")


def test_a_file_that_cannot_be_collected_fails_the_run(run):
    status, output = run(good=GOOD, bad="import nonexistent", unsteady=UNSTEADY)
    assert status != 0
    assert "error" in counts(output)


def test_a_run_that_stops_at_the_first_failure_has_failed(suite):
    status, output = suite("--retry-alone", "--maxfail=1", unsteady=UNSTEADY)
    assert status != 0
    assert "UNSTEADY" not in output


def test_a_suite_without_failures_runs_once(suite):
    status, output = suite("--retry-alone", good=GOOD)
    assert (status, counts(output)) == (0, {"passed": 1})
    assert "alone" not in output


def test_without_the_option_nothing_runs_twice(suite):
    status, output = suite(broken=BROKEN)
    assert (status, counts(output)) == (1, {"failed": 1, "error": 1})
    assert "alone" not in output
