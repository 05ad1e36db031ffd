"""Virtual environments: what a server of this project installs, and one team's package on top.

    python tests/support/company/environments.py     makes all of them and prints the versions

What the project pins stays as it is; everything else is the newest release that the registry has
today. Others hold nothing of this project, and are pinned: what the applications need that
docs/how-to/move-from-*.md move here. An environment that is up to date already is left alone, in
about half a second.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
#: Where they are kept from run to run. `make clean` removes it.
FOLDER = ROOT / "var" / "company"

#: The packages of each environment.
PACKAGES = {
    "accounts": ("django-allauth", "django-axes", "django-maintenance-mode"),
    "ddtrace": ("ddtrace", "msgpack"),
    "drivers": ("psycopg2-binary", "psycogreen", "pymysql"),
    "elastic": ("elastic-apm",),
    "hosts": ("django-hosts",),
    "newrelic": ("newrelic",),
    "opentelemetry": ("opentelemetry-instrumentation-django", "opentelemetry-distro"),
    "prometheus": ("django-prometheus",),
    "sentry": ("sentry-sdk",),
    "shop": ("celery", "django-environ"),
    "tenants": ("django-tenants",),
}

#: Those that a scenario alone needs are made when it runs.
SCENARIOS = {"s3": ("moto[server]",)}

#: The files that name all packages of an environment.
PINNED = {
    "ports": ROOT / "tests" / "ports" / "requirements.txt",
    "ports-old": ROOT / "tests" / "ports" / "requirements-old.txt",
}


class NoEnvironment(Exception):
    """The environment cannot be made; the message says why and what to do."""


def environment(name: str) -> Path:
    """The Python of an environment, made or brought up to date. Raises :class:`NoEnvironment`."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not python.exists():
            _uv(name, "venv", "--clear", "--python", sys.executable, str(folder))
        _uv(name, "pip", *_packages(name), "--python", str(python))
    return python


def _packages(name: str) -> list[str]:
    if name in PINNED:
        return ["sync", "--require-hashes", str(PINNED[name])]
    requirements = str(ROOT / "requirements.txt")
    return ["install", "--upgrade", "--requirements", requirements, *(PACKAGES | SCENARIOS)[name]]


def node_modules(name: str) -> Path:
    """The packages for browsers of an application below tests/ports, installed in their folder.

    Raises :class:`NoEnvironment`.
    """
    source, folder = ROOT / "tests" / "ports" / name, FOLDER / f"{name}-node"
    folder.mkdir(parents=True, exist_ok=True)
    lock, made_from = source / "package-lock.json", folder / "made-from.json"
    with (FOLDER / f"{folder.name}.lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not made_from.exists() or made_from.read_bytes() != lock.read_bytes():
            for path in (lock, source / "package.json"):
                shutil.copy(path, folder)
            _run(folder.name, ["npm", "ci", "--ignore-scripts", "--no-audit"], folder)
            shutil.copy(lock, made_from)
    return folder / "node_modules"


def versions() -> list[str]:
    """The releases in the environments that are made, as "sentry-sdk 2.75.0"."""
    found = []
    for name, packages in PACKAGES.items():
        for package in packages:
            pattern = f"lib/python*/site-packages/{package.replace('-', '_')}-*.dist-info"
            for info in (FOLDER / name).glob(pattern):
                found.append(f"{package} {info.stem.rpartition('-')[2]}")
    return found


def _uv(name: str, *words: str) -> None:
    _run(name, [str(Path(sys.executable).with_name("uv")), "--quiet", *words])


def _run(name: str, command: list[str], folder: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, check=False, capture_output=True, text=True, env=_environ()
        )
    except FileNotFoundError:
        raise NoEnvironment(f"expected {command[0]}, found none: install it") from None
    if done.returncode:
        raise NoEnvironment(
            f"expected the environment {name}, found that {Path(command[0]).name} cannot make it: "
            f"see that the package registry can be reached, and run\n"
            f"  {' '.join(map(str, command))}\n{done.stderr}"
        )


def _environ() -> dict[str, str]:
    """The environment variables, without the virtual environment that we run in."""
    return {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}


if __name__ == "__main__":
    try:
        for each in (*PACKAGES, *PINNED):
            environment(each)
        node_modules("socketio_before")
    except NoEnvironment as error:
        sys.exit(str(error))
    print(*versions(), sep="\n")
