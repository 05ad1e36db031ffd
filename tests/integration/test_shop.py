"""The foreign project of the deploy tests, as its developers run it: nothing of ours around it."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import contextmanager

import pytest
import yaml

from support.company.environments import environment
from support.ports import free_port
from support.server import PATIENCE, ROOT, wait_for
from support.shop import SHOP, Customer, hear

#: What the team says about its site may be this long, comments and empty lines not counted.
MOST_LINES = 30


class Backend:
    """A developer's copy of the shop, which finds the library of this checkout."""

    def __init__(self, folder):
        self.folder = folder / "shop" / "backend"
        shutil.copytree(SHOP, folder / "shop")
        self._python = environment("shop")
        self._environ = {key: os.environ[key] for key in ("HOME", "PATH") if key in os.environ}
        self._environ |= {"PYTHONPATH": str(ROOT / "app"), "PYTHONUNBUFFERED": "1"}

    def manage(self, *words):
        done = subprocess.run(
            [self._python, "-W", "error", "manage.py", *words], cwd=self.folder, timeout=PATIENCE,
            env=self._environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    @contextmanager
    def runserver(self):
        """Its URL. Ctrl-C ends it."""
        port, log = free_port(), self.folder / "runserver.log"
        customer = Customer(f"http://127.0.0.1:{port}")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self._python, "manage.py", "runserver", str(port), "--noreload"],
                cwd=self.folder, env=self._environ, stdout=output, stderr=output,
            )  # fmt: skip

        def answers():
            assert process.poll() is None, log.read_text()
            try:
                return customer.get("/shop/") == 200
            except OSError:
                return False

        try:
            wait_for(answers, "runserver")
            yield customer
            assert "Traceback" not in log.read_text(), log.read_text()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    return Backend(tmp_path_factory.mktemp("shop"))


def test_its_own_tests_pass_and_its_migrations_are_complete(backend):
    assert "Ran 2 tests" in backend.manage("test")
    assert "No changes detected" in backend.manage("makemigrations", "--check")


def test_it_runs_by_runserver_alone(backend, tmp_path):
    leaflet = tmp_path / "tea.txt"
    leaflet.write_text("Two minutes, 80 degrees.")
    backend.manage("migrate")
    with backend.runserver() as customer:
        customer.deliver("tea", 2, leaflet)
        assert customer.get("/") == 404
        assert customer.read(customer.leaflet("tea")) == leaflet.read_text()
        assert customer.leaflet("tea").startswith("/uploads/")
        assert "font-family" in customer.read("/assets/catalogue/shop.css")
        with customer.counter() as counter:
            counter.send("tea")
            hear(counter, product="tea", stock=2)
            customer.order("tea")
            hear(counter, product="tea", stock=1)
            hear(counter, confirmed="tea", stock=1)


def test_its_variables_are_one_short_file():
    files = [path for path in (SHOP / "ops").rglob("*") if path.is_file()]
    assert sorted(path.relative_to(SHOP / "ops").as_posix() for path in files) == [
        "group_vars/all.yml",
        "hosts.yml",
    ]
    text = (SHOP / "ops/group_vars/all.yml").read_text()
    lines = [line for line in text.splitlines() if not re.match(r"\s*(#|$|---)", line)]
    assert len(lines) <= MOST_LINES, f"{len(lines)} lines"
    assert yaml.safe_load(text)["stack_site"] == "shop"


def test_nothing_of_ours_is_in_it_but_the_dependency():
    """It names the library where it imports it, and no path, user or command of the stack."""
    for path in filter(lambda path: path.suffix in (".py", ".txt", ".md", ".yml"), SHOP.rglob("*")):
        for name in ("/srv", "/var/lib", "/etc/", "supervisor", "nginx.conf", "gunicorn"):
            assert name not in path.read_text(), f"{path.relative_to(SHOP)} names {name}"
