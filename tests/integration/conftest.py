from pathlib import Path

import pytest

from support.nginx import Nginx


@pytest.fixture
def nginx(stack, tmp_path):
    """Makes further nginx processes before the stack's gunicorns; see ``Nginx``."""
    running = []

    def start(**options):
        front = Nginx(stack, tmp_path / f"nginx-{len(running)}", **options)
        running.append(front.__enter__())
        return front

    yield start
    for front in running:
        front.__exit__()


@pytest.fixture(scope="session")
def classic(stack, tmp_path_factory):
    """The configuration that people have copied for years, before the same gunicorns."""
    prefix = tmp_path_factory.mktemp("classic") / "nginx"
    with Nginx(stack, prefix, configuration=Path(__file__).with_name("classic")) as front:
        yield front


@pytest.fixture(params=["classic", "shipped"])
def form(request, stack, classic):
    """(name, port) of both nginx configurations."""
    return request.param, {"classic": classic, "shipped": stack}[request.param].port
