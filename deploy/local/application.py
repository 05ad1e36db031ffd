"""Prepares the Django project: checks, migrations, static files."""

import subprocess

from state import State
from terminal import Problem, indented
from virtualenv import VirtualEnvironment


def prepare(state: State, virtual_environment: VirtualEnvironment) -> None:
    """Raises ``Problem`` with Django's message for the first command that fails."""
    _manage(state, virtual_environment, "check", "--fail-level", "ERROR")
    _manage(state, virtual_environment, "migrate", "--no-input", "--verbosity", "0")
    _manage(state, virtual_environment, "collectstatic", "--no-input", "--verbosity", "0")


def _manage(state: State, virtual_environment: VirtualEnvironment, *arguments: str) -> None:
    answer = subprocess.run(
        [virtual_environment.python, state.checkout / "app" / "manage.py", *arguments],
        check=False, capture_output=True, text=True,
        env=state.environment(virtual_environment.path),
    )  # fmt: skip
    if answer.returncode != 0:
        raise Problem(
            f"Django refuses `manage.py {arguments[0]}`; set this right and try again:\n"
            + indented(_essence(answer.stderr or answer.stdout))
        )


def _essence(output: str) -> str:
    """The last line of a traceback, which names the error; any other output in full."""
    return output.strip().splitlines()[-1] if "Traceback" in output else output
