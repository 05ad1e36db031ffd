"""The library's unit tests on the versions that the classifiers in pyproject.toml claim.

`make test-matrix` runs them all, `make test-edges` a part of them on the lowest and the newest.

    .venv/bin/nox --list
    .venv/bin/nox -s "unit(python-3.13-django-6.0-lowest)" -- tests/unit/django_websocket/rfc6455

Each session installs the library, built from this checkout, into a virtual environment of its own:
with the lowest versions of its dependencies that pyproject.toml allows, or with the newest. The
tests run in a copy of the checkout without the library's source, so that they can only import what
has been installed. A Python that is not on PATH is skipped.
"""

import os
import re
import shutil
import tomllib
from pathlib import Path

import nox

ROOT = Path(__file__).parent
CLASSIFIERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
PYTHONS = re.findall(r"^Programming Language :: Python :: (3\.\d+)$", "\n".join(CLASSIFIERS), re.M)
DJANGOS = re.findall(r"^Framework :: Django :: (\d+\.\d+)$", "\n".join(CLASSIFIERS), re.M)
#: The ends of the ranges: what `make test-edges` runs.
EDGES = ((PYTHONS[0], DJANGOS[0], "lowest"), (PYTHONS[-1], DJANGOS[-1], "newest"))
#: What the tests need besides the library. requirements*.txt have the versions.
TOOLS = ("environs[django]", "hypothesis", "msgspec", "opentelemetry-sdk", "psutil",
         "psycopg[binary,pool]", "pydantic", "pytest", "pytest-django", "pytest-randomly",
         "pytest-timeout", "pytest-xdist", "python-json-logger", "websocket-client", "werkzeug",
         "whitenoise")  # fmt: skip

nox.options.envdir = "var/nox"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
# Where pyenv's shims are on PATH, they start the versions that this names.
os.environ.setdefault("PYENV_VERSION", ":".join(PYTHONS))


@nox.session
@nox.parametrize(
    ("python", "django", "resolution"),
    [
        nox.param(
            python, django, resolution,
            id=f"python-{python}-django-{django}-{resolution}",
            tags=["edges"] if (python, django, resolution) in EDGES else [],
        )
        for python in PYTHONS
        for django in DJANGOS
        if django == "5.2" or python != "3.11"  # Django 6 needs Python 3.12
        for resolution in ("lowest", "newest")
    ],
)  # fmt: skip
def unit(session: nox.Session, django: str, resolution: str) -> None:
    """The library's unit tests, with the lowest or the newest dependencies."""
    # Not session.create_tmp(): that would be TMPDIR, and make paths too long for unix sockets.
    checkout = Path(session.virtualenv.location) / "checkout"
    _copy(checkout)
    strategy = {"lowest": "lowest-direct", "newest": "highest"}[resolution]
    library = f"{checkout}[metrics,opentelemetry,redis]"
    session.install(library, f"Django == {django}.*", "--resolution", strategy)
    session.install(*_pinned(TOOLS))
    shutil.rmtree(checkout / "app" / "django_websocket")
    session.run("uv", "pip", "list", "--quiet", external=True)
    session.chdir(checkout)
    session.run(
        "python", "-m", "pytest", "--quiet", "--numprocesses=2", "--dist=loadfile",
        "--no-loadscope-reorder", "--retry-alone",
        *(session.posargs or ["tests/unit/django_websocket"]),
        env={"PYTHONPATH": None},
    )  # fmt: skip


def _copy(checkout: Path) -> None:
    shutil.rmtree(checkout, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("app", "benchmarks", "deploy", "docs", "tests"):
        shutil.copytree(ROOT / name, checkout / name, ignore=ignored)
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, checkout)


def _pinned(packages: tuple[str, ...]) -> list[str]:
    pins: dict[str, str] = {}
    for name in ("requirements-dev.txt", "requirements.txt"):
        text = (ROOT / name).read_text()
        pins |= dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, re.MULTILINE))
    return [f"{package}=={pins[package.partition('[')[0]]}" for package in packages]
