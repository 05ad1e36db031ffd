"""A foreign project, from a bare host to a running site by the commands of one page, and on."""

import os
import re
import subprocess
import time
import uuid
from pathlib import Path

import pytest
import yaml
from controller import ROOT
from opened import PATIENCE, Opened, ages, beats, kill, read_until
from team import Team
from visitors import Listener, Reader

from support.shop import Customer, hear
from support.walkthrough import read_blocks

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(3000)]

PAGE = read_blocks(ROOT / "docs/how-to/your-own-project.md")
#: What the page fetches and installs; the tests have it.
FETCH = "From a bare host to your site"
PROGRAMS = {"http-1", "http-2", "websocket-1", "websocket-2", "worker-1", "beat-1", "watcher-1"}

#: What is left out has its own tests, and takes its time.
ITS_SETTINGS = ("--tags", "app")

GUNICORN = re.compile("http:|websocket:")


def commands(section: str) -> list[str]:
    """The blocks for a shell of a section of the page."""
    return [block.text for block in PAGE[section] if block.language == "sh"]


@pytest.fixture(scope="module")
def opened(laboratory, tmp_path_factory):
    """From a bare host, by what the page says, and nothing else."""
    (host,) = laboratory.boot("counter")
    team = Team(tmp_path_factory.mktemp("team"), host, laboratory.network, host.address)
    _, wheel, runs = commands(FETCH)
    team.type(wheel).expect_success()
    first_runs = team.type(runs).expect_success()
    certificate = host.ssh("cat /etc/nginx/shop.d/tls/self-signed-*.pem")
    return Opened(
        host, team, Customer(f"https://{host.address}", certificate), certificate, first_runs
    )


@pytest.fixture
def team(opened):
    """Its files and variables are afterwards as they were."""
    before = opened.team.commit("As it was")
    yield opened.team
    opened.team.go_back_to(before)
    opened.team.say()


def test_bare_to_serving_and_the_last_run_changes_nothing(opened):
    assert opened.first_runs.changed == {"counter": 0}
    assert f"https://{opened.host.address}/" in opened.first_runs.output[-1500:]


def test_customers_are_served(opened, tmp_path):
    """Pages, static files, uploads, sockets; and Celery's worker publishes to them."""
    customer = opened.customer
    leaflet = tmp_path / "tea.txt"
    leaflet.write_text("Two minutes, 80 degrees.")
    assert customer.get("/") == 404
    assert "font-family" in customer.read("/assets/catalogue/shop.css")
    tea = f"tea {uuid.uuid4().hex}"
    customer.deliver(tea, 3, leaflet)
    assert customer.leaflet(tea).startswith("/uploads/leaflets/")
    assert customer.read(customer.leaflet(tea)) == leaflet.read_text()
    with customer.counter() as counter:
        counter.send(tea)
        hear(counter, product=tea, stock=3)
        customer.order(tea)
        hear(counter, product=tea, stock=2)
        hear(counter, confirmed=tea, stock=2)


def test_the_cache_beside_the_broker_may_be_cleared(opened):
    lines = "from django.core.cache import cache; cache.set('a', 1); print(cache.get('a'))"
    cleared = "cache.clear(); print(cache.get('a'))"
    said = opened.host.ssh(f'shop-manage shell -c "{lines}; {cleared}"')
    assert said.splitlines()[-2:] == ["1", "None"]


def test_every_program_works_and_is_in_the_status(opened):
    opened.wait_for_staff(version=opened.version)
    assert set(opened.customer.staff()) == {"pages", "worker", "watcher"}
    (status, check) = PAGE["From then on"][-1].lines
    states = dict(re.findall(r"^\w+:(\S+) +(\w+)", opened.host.ssh(status), re.M))
    assert states == dict.fromkeys(PROGRAMS, "RUNNING")
    assert "System check identified" in opened.host.ssh(f"{check} 2>&1")


def test_deploy_and_rollback_take_every_program_along(opened, team):
    css = "backend/catalogue/static/catalogue/shop.css"
    before, colour = opened.version, f"#{uuid.uuid4().hex[:6]}"
    team.write(css, f"h1 {{ color: {colour}; }}\n", append=True)
    team.release_version("newer")
    deploy, rollback, restart = commands_of("From then on")
    with (
        Reader(opened.visitor(), "/shop/") as reader,
        Listener(opened.visitor(), "/shop/stock/") as listener,
    ):
        team.type(deploy).expect_success()
        opened.wait_for_staff(version="newer")
        assert colour in opened.customer.read("/assets/catalogue/shop.css")
        running = ages(opened.host)
        gunicorns = {running.pop(name) for name in [*running] if GUNICORN.match(name)}
        assert max(running.values()) <= min(gunicorns), "the programs follow the gunicorns"
        assert beats(opened.host) == 1
        team.type(rollback).expect_success()
        opened.wait_for_staff(version=before)
        assert colour not in opened.customer.read("/assets/catalogue/shop.css")
        team.type(restart).expect_success()
    assert reader.failures == []
    assert reader.successes > 100
    assert set(listener.close_codes) == {1012}
    assert max(listener.reconnect_seconds) < 2
    assert beats(opened.host) == 1


def test_settings_reach_every_program_or_stay_out_of_force(opened, team):
    team.say(app_environment={"BRANCH": "harbour"})
    team.play("site", *ITS_SETTINGS).expect_success()
    opened.wait_for_staff(branch="harbour")
    before = opened.serving()
    team.say(app_environment={"BRANCH": "station", "DATABASE_URL": "nonsense"})
    with Reader(opened.visitor(), "/shop/") as reader:
        play = team.play("site", *ITS_SETTINGS)
    assert play.status != 0
    assert "The old ones are in force" in " ".join(play.output.split())
    assert opened.serving() == before
    assert reader.failures == []
    team.say()
    team.play("site", *ITS_SETTINGS).expect_success()
    opened.wait_for_staff(branch="")


def test_another_number_of_gunicorns(opened, team):
    tags = ("--tags", "app,supervisor,nginx")
    team.say(stack_http_instances=3)
    team.play("site", *tags).expect_success()
    assert "http:http-3" in ages(opened.host)
    assert opened.customer.get("/shop/") == 200
    team.say()
    team.play("site", *tags).expect_success()
    assert "http:http-3" not in ages(opened.host)


def test_of_two_deploys_one_is_refused_and_an_interrupted_one_is_finished(opened, team):
    team.release_version("second try")
    first = team.start("deploy")
    read_until(first, "TASK [app : Install its packages")
    second = team.play("deploy")
    said = " ".join(second.output.split())
    assert second.status != 0
    assert re.search(r"\S+@\S+ has deployed to counter since \w+ \w+ +\d+ [\d:]+ \d{4}", said), said
    assert "app_lock=break" in said
    kill(first)
    assert opened.customer.get("/shop/") == 200
    team.play("deploy").expect_success()
    opened.wait_for_staff(version="second try")
    assert not any(program["outdated"] for program in opened.serving()["programs"])


def test_hooks_run_in_order_in_a_deploy_from_a_url(opened, team, tmp_path):
    """A repository of git's, and tasks that know what the deploy knows."""
    moments = [
        f"{when}_{what}"
        for what in ("build", "migrate", "switch", "finish")
        for when in ("before", "after")
    ]
    opened.host.ssh("rm -f /var/tmp/hooks")
    (team.shop / "ops/hooks").mkdir()
    for moment in moments:
        team.write(
            f"ops/hooks/{moment}.yml",
            "- name: Take notes.\n"
            "  ansible.builtin.shell:\n"
            f"    cmd: echo {moment} {{{{ app_release }}}} >>/var/tmp/hooks\n"
            "  changed_when: false\n",
        )
    revision = team.release_version("hooked")
    team.push_to(tmp_path / "shop.git")
    team.say(
        app_repository=f"file://{tmp_path / 'shop.git'}",
        app_hooks={moment: f"hooks/{moment}.yml" for moment in moments},
    )
    play = team.play("deploy").expect_success()
    assert "Failed to parse" not in play.output
    opened.wait_for_staff(version="hooked")
    release = opened.serving()["release"]
    assert revision[:12] in release
    said = opened.host.ssh("cat /var/tmp/hooks").splitlines()
    assert said == [f"{moment} {release}" for moment in moments]


def test_programs_and_timers_come_and_go(opened, team):
    """Any executable; one that wants more memory than it may have ends alone."""
    session = "shop-manage shell -c 'from django.contrib.sessions.models import Session as S; {}'"
    expired = 'S(session_key="old", session_data="", expire_date="2020-01-01T00:00Z").save()'
    opened.host.ssh(session.format(expired))
    hog = "python -c 'import time; x = bytearray(200 << 20); time.sleep(3600)'"
    programs = team.variables()["app_programs"]
    timer = {"command": "manage clearsessions", "on_calendar": "*:*:0/5", "delay": 0}
    team.say(
        app_programs=programs | {"hog": {"command": hog, "memory": "100M"}},
        app_timers={"often": timer},
    )
    play = team.play("site", "--tags", "app,supervisor")
    assert play.status != 0
    assert "hog:hog-1 does not get ready" in play.output
    assert "MemoryError" in play.output
    deadline = time.monotonic() + PATIENCE
    while "old" in opened.host.ssh(session.format("print([*S.objects.all()])")):
        assert time.monotonic() < deadline, opened.host.ssh("systemctl list-timers --all")
        time.sleep(1)
    assert opened.customer.get("/shop/") == 200
    team.say()
    team.play("site", "--tags", "app,supervisor").expect_success()
    assert "hog" not in opened.host.ssh("shopctl status; ls /srv/shop/deploy/supervisor/local")
    assert "often" not in opened.host.ssh("ls /etc/systemd/system")
    assert "daily" in opened.host.ssh("systemctl cat shop-clearsessions.timer")


#: What makes it a project that uv locks.
LOCKED = """
[project]
name = "shop"
version = "1"
requires-python = ">= 3.11"
dependencies = [
    "Django ~= 5.2.0",
    "celery ~= 5.6",
    "django-environ ~= 0.13",
    "django-gevent-websocket[redis] >= 1.0.0rc1",
    "psycopg[binary,pool] ~= 3.2",
    "shop-tea",
]

[tool.uv]
find-links = ["wheels"]
"""


def test_a_lock_on_another_python_with_a_package_to_be_built(opened, team, tmp_path):
    """By what the page says; with a Python that the administrators have put on the host."""
    before, python = opened.version, bring_another_python(opened.host)
    (tmp_path / "tea.py").write_text('NAME = "Darjeeling"\n')
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop-tea"\nversion = "1"\n')
    team.type(f"uv build --quiet --sdist --out-dir shop/wheels {tmp_path}").expect_success()
    team.write("pyproject.toml", LOCKED, append=True)
    team.type("cd shop; uv lock --quiet").expect_success()
    export, said = (block.text for block in PAGE["If your project has a lock"])
    team.type(export).expect_success()
    variables = yaml.safe_load(said) | {"app_python": python}
    team.release_version("locked")
    team.say(**variables)
    refused = team.play("deploy")
    assert refused.status != 0
    assert "shop-tea" in refused.output
    assert 'was refused at "Install its packages."' in " ".join(refused.output.split())
    assert opened.version == before
    team.say(**variables, app_allow_sdists=True)
    team.play("deploy").expect_success()
    opened.wait_for_staff(version="locked")
    shell = "import sys, celery, tea; print(sys.base_prefix, tea.NAME)"
    answer = opened.host.ssh(f'/srv/shop/current/.venv/bin/python -c "{shell}"')
    assert answer.split() == [OPT, "Darjeeling"]
    pages = opened.host.ssh("readlink /proc/$(shopctl pid http:http-1)/exe")
    assert pages.startswith(OPT)


def test_a_restart_by_hand_waits_for_another(opened):
    """Two at once would stop all instances together."""
    with Reader(opened.visitor(), "/shop/") as reader:
        both = "shopctl roll >/dev/null & sleep 1; shopctl roll; wait"
        said = opened.host.ssh(both, timeout=600)
    assert "Waiting for the end of another restart" in said
    assert reader.failures == []


def commands_of(section: str) -> list[str]:
    """Those of its first block one by one, each after the ``cd`` of the block."""
    first, *rest = PAGE[section][0].lines
    return [f"{first}\n{line}" for line in rest]


#: Where administrators put what is not Debian's.
OPT = "/opt/python"


def bring_another_python(host) -> str:
    """One of this machine's, newer than Debian's."""
    for version in ("3.13", "3.12"):
        found = subprocess.run(
            [f"python{version}", "-c", "import sys; print(sys.base_prefix)"], check=False,
            capture_output=True, text=True, env=os.environ | {"PYENV_VERSION": version},
        )  # fmt: skip
        if found.returncode == 0 and (prefix := found.stdout.strip()) != "/usr":
            host.put_folder(Path(prefix), OPT, "test", "__pycache__", "*.a")
            host.ssh(f"echo {OPT}/lib >/etc/ld.so.conf.d/python.conf; ldconfig")
            return f"{OPT}/bin/python{version}"
    pytest.skip("there is no newer Python than Debian's here")
