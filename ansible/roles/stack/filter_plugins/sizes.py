"""The arithmetic of deploy/local/sizes.py, as filters."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

SIZES = runpy.run_path(str(Path(__file__).resolve().parents[4] / "deploy" / "local" / "sizes.py"))


def instances(cores: int, host: str) -> int:
    """How many gunicorns of each kind the host runs."""
    if not cores:
        raise AnsibleFilterError(
            f"How many cores {host} has is not known, as no playbook has been there yet. "
            f"Run it without --limit, or set stack_cores of {host} in the inventory."
        )
    count: int = SIZES["instances"](int(cores))
    return count


def of_numbers(name: str) -> Callable[..., int]:
    """The function with that name. Extra variables are strings."""

    def calculate(*numbers: Any) -> int:
        size: int = SIZES[name](*map(int, numbers))
        return size

    return calculate


class FilterModule:
    """Ansible looks for a class with this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        names = ("nginx_connections", "open_files", "database_pool", "database_connections")
        return {"stack_instances": instances} | {
            f"stack_{name}": of_numbers(name) for name in names
        }
