"""A foreign project, from a bare host to a running site by the commands of one page, and on."""

import dataclasses
import json
import os
import re
import signal
import time
import uuid

import pytest
from controller import ROOT, Play
from team import Team
from visitors import Listener, Reader

from support.shop import Customer, hear
from support.walkthrough import read_blocks

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(3000)]

PAGE = read_blocks(ROOT / "docs/how-to/your-own-project.md")
#: Seconds within which every program has come back, and has done something.
PATIENCE = 60
#: What the page fetches and installs; the tests have it.
FETCH = "From a bare host to your site"
PROGRAMS = {"http-1", "http-2", "websocket-1", "websocket-2", "worker-1", "beat-1", "watcher-1"}

GUNICORN = re.compile("http:|websocket:")


def commands(section: str) -> list[str]:
    """The blocks for a shell of a section of the page."""
    return [block.text for block in PAGE[section] if block.language == "sh"]


@dataclasses.dataclass(frozen=True)
class Opened:
    """A shop that is open."""

    host: object
    team: Team
    customer: Customer
    certificate: str
    first_runs: Play

    @property
    def version(self) -> str:
        """Of the pages."""
        return self.customer.staff()["pages"]["version"]

    def serving(self) -> dict:
        return json.loads(self.host.ssh("shopctl serving"))

    def wait_for_staff(self, **expected: str) -> None:
        """Until all who work do so in this branch, or on this version."""
        deadline = time.monotonic() + PATIENCE
        while any(
            shift[name] != value
            for shift in self.customer.staff().values()
            for name, value in expected.items()
        ):
            assert time.monotonic() < deadline, f"{expected}: {self.customer.staff()}"
            time.sleep(0.5)

    def visitor(self) -> Customer:
        """Somebody else."""
        return Customer(f"https://{self.host.address}", self.certificate)


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


def test_new_settings_reach_every_program(opened, team):
    team.say(app_environment={"BRANCH": "harbour"})
    team.play("site").expect_success()
    opened.wait_for_staff(branch="harbour")
    team.say()
    team.play("site").expect_success()
    opened.wait_for_staff(branch="")
    assert team.play("site").expect_success().changed == {"counter": 0}


def test_settings_that_do_not_start_stay_out_of_force(opened, team):
    before = opened.serving()
    team.say(app_environment={"DATABASE_URL": "nonsense"})
    with Reader(opened.visitor(), "/shop/") as reader:
        play = team.play("site")
    assert play.status != 0
    assert "The old ones are in force" in " ".join(play.output.split())
    assert opened.serving() == before
    assert reader.failures == []
    team.say()
    assert team.play("site").expect_success().changed == {"counter": 0}


@pytest.mark.parametrize("task", ["Install its packages", "Restart what runs on another"])
def test_an_interrupted_deploy_run_again_finishes(opened, team, task):
    team.release_version("interrupted")
    interrupt(team.start("deploy"), at=task)
    assert opened.customer.get("/shop/") == 200
    team.play("deploy").expect_success()
    opened.wait_for_staff(version="interrupted")
    assert not any(program["outdated"] for program in opened.serving()["programs"])


def test_of_two_deploys_at_once_one_is_refused_by_name(opened, team):
    team.release_version("first")
    first = team.start("deploy")
    read_until(first, "TASK [app : Install its packages")
    second = team.play("deploy")
    said = " ".join(second.output.split())
    assert second.status != 0
    assert re.search(r"\S+@\S+ has deployed to counter since \w+ \w+ +\d+ [\d:]+ \d{4}", said), said
    assert "app_lock=break" in said
    output, _ = first.communicate(timeout=600)
    assert first.returncode == 0, output[-3000:]
    opened.wait_for_staff(version="first")


def test_hooks_run_in_order_with_what_the_deploy_knows(opened, team):
    moments = [
        f"{when}_{what}"
        for what in ("build", "migrate", "switch", "finish")
        for when in ("before", "after")
    ]
    (team.shop / "ops/hooks").mkdir()
    for moment in moments:
        team.write(
            f"ops/hooks/{moment}.yml",
            "- name: Take notes.\n"
            "  ansible.builtin.shell:\n"
            f"    cmd: echo {moment} {{{{ app_release }}}} >>/var/tmp/hooks\n"
            "  changed_when: false\n",
        )
    team.say(app_hooks={moment: f"hooks/{moment}.yml" for moment in moments})
    team.release_version("hooked")
    team.play("deploy").expect_success()
    release = opened.host.ssh("basename $(readlink /srv/shop/current)").strip()
    said = opened.host.ssh("cat /var/tmp/hooks").splitlines()
    assert said == [f"{moment} {release}" for moment in moments]


def test_a_command_runs_at_its_time(opened, team):
    session = "manage shell -c 'from django.contrib.sessions.models import Session as S; {}'"
    expired = 'S(session_key="old", session_data="", expire_date="2020-01-01T00:00Z").save()'
    opened.host.ssh(f"shop-{session.format(expired)}")
    timer = {"command": "manage clearsessions", "on_calendar": "*:*:0/5", "delay": 0}
    team.say(app_timers={"clearsessions": timer})
    team.play("site", "--tags", "app").expect_success()
    deadline = time.monotonic() + PATIENCE
    while "old" in opened.host.ssh(f"shop-{session.format('print([*S.objects.all()])')}"):
        assert time.monotonic() < deadline, opened.host.ssh("systemctl list-timers --all")
        time.sleep(1)
    team.say()
    team.play("site", "--tags", "app").expect_success()
    assert "daily" in opened.host.ssh("systemctl cat shop-clearsessions.timer")


def test_a_program_that_wants_more_memory_than_it_may_have_ends_alone(opened, team):
    """Any executable; and once it is no longer wanted, nothing is left of it."""
    hog = "python -c 'import time; x = bytearray(200 << 20); time.sleep(3600)'"
    programs = team.variables()["app_programs"]
    team.say(app_programs=programs | {"hog": {"command": hog, "memory": "100M"}})
    play = team.play("site")
    assert "hog" in play.output
    assert "MemoryError" in opened.host.ssh("cat /var/lib/shop/log/hog-1.log")
    assert opened.customer.get("/shop/") == 200
    team.say()
    team.play("site").expect_success()
    assert "hog" not in opened.host.ssh("shopctl status; ls /srv/shop/deploy/supervisor/local")


def test_a_deploy_from_a_repository_s_url(opened, team, tmp_path):
    revision = team.release_version("pushed")
    team.push_to(tmp_path / "shop.git")
    team.say(app_repository=f"file://{tmp_path / 'shop.git'}")
    team.play("deploy").expect_success()
    assert revision[:12] in opened.host.ssh("readlink /srv/shop/current")
    opened.wait_for_staff(version="pushed")


def commands_of(section: str) -> list[str]:
    """Those of its first block one by one, each after the ``cd`` of the block."""
    first, *rest = PAGE[section][0].lines
    return [f"{first}\n{line}" for line in rest]


def ages(host) -> dict[str, int]:
    """For how many seconds each process has run, by its name."""
    pids = re.findall(r"^(\S+) +RUNNING +pid (\d+)", host.ssh("shopctl status"), re.M)
    return {name: int(host.ssh(f"ps -o etimes= -p {pid}")) for name, pid in pids}


def beats(host) -> int:
    return int(host.ssh("pgrep --count --full 'config beat'", check=False))


def read_until(process, text: str) -> None:
    lines = []
    while text not in (line := process.stdout.readline()):
        lines.append(line)
        assert line, f"{text!r} never came:\n{''.join(lines)[-3000:]}"


def interrupt(process, at: str) -> None:
    """As a power cut of the controller does."""
    read_until(process, at)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
