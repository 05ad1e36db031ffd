"""One host: provisioned, deployed to, rolled back, broken, rebooted."""

import dataclasses
import re

import pytest
from controller import ROOT, Controller, Play, everything_on
from visitors import Listener, Reader, Site

from support.server import wait_for

pytestmark = pytest.mark.timeout(1500)

#: systemd calls a host booted before the gunicorns have imported everything.
SECONDS_AFTER_BOOT = 30
SECONDS_AFTER_PACKAGE = 10
RELEASES = "/srv/stack/releases"
STATIC = "/srv/stack/static"


@dataclasses.dataclass(frozen=True)
class Single:
    host: object
    controller: Controller
    site: Site
    first_revision: str
    first_run: Play
    second_run: Play

    @property
    def release(self) -> str:
        """The name of the release that serves."""
        return self.host.ssh("basename $(readlink /srv/stack/current)").strip()

    def deploy(self, **variables) -> Play:
        return self.controller.play("deploy", **variables)


@pytest.fixture(scope="module")
def single(laboratory, tmp_path_factory):
    """Booted, and provisioned with one command."""
    (host,) = laboratory.boot("single")
    controller = Controller(
        tmp_path_factory.mktemp("single"), [host], laboratory.network,
        address=host.address, **everything_on("single"),
    )  # fmt: skip
    first_run = controller.play("site").expect_success()
    second_run = controller.play("site").expect_success()
    certificate = host.ssh("cat /etc/nginx/stack.d/tls/self-signed-*.pem")
    return Single(
        host,
        controller,
        Site(host.address, certificate),
        controller.commit("The same again"),
        first_run,
        second_run,
    )


@pytest.fixture
def checkout(single):
    """The controller's checkout, which gets its first files back afterwards."""
    yield single.controller
    single.controller.go_back_to(single.first_revision)


def test_the_second_run_changes_nothing(single):
    assert single.second_run.changed == {"single": 0}


@pytest.mark.scenario
def test_dry_run_on_a_provisioned_host_finds_nothing_to_do(single):
    play = single.controller.play("site", "--check", "--diff").expect_success()
    assert play.changed == {"single": 0}


def test_two_clients_chat(single):
    single.site.chat("lobby", "hello over wss")


def test_nginx_goes_on_in_a_new_log_once_the_old_one_is_rotated(single):
    log = "/var/log/nginx/stack.access.log"
    single.host.ssh("logrotate --force /etc/logrotate.d/nginx")
    single.site.get("/chat/?after=the+rotation")
    wait_for(lambda: "after=the+rotation" in single.host.ssh(f"cat {log}"))


def test_no_secret_is_in_what_ansible_said_or_in_what_everybody_may_read(single):
    environment = single.host.ssh("cat /etc/stack/environment")
    assert single.host.ssh("stat -c '%a %U' /etc/stack/environment").split() == ["600", "stack"]
    secrets = re.findall(r"(?:SECRET_KEY=|stack:)(\w{20,})", environment)
    assert len(set(secrets)) == 3
    said = single.first_run.output
    shown = single.host.ssh("ps -eo args")
    for secret in secrets:
        assert secret not in said
        assert secret not in shown


@pytest.mark.scenario
def test_a_colleague_reads_the_secrets_back_and_changes_nothing(single, tmp_path):
    refused = single.controller.play("site", stack_secrets=str(tmp_path / "secrets"))
    assert refused.status != 0
    assert refused.changed == {"single": 0}
    single.controller.play("secrets", stack_secrets=str(tmp_path / "secrets")).expect_success()
    play = single.controller.play(
        "site", "--tags=app,redis,postgresql", stack_secrets=str(tmp_path / "secrets")
    ).expect_success()
    assert play.changed == {"single": 0}


def test_deploy_and_rollback_fail_no_request_and_close_sockets_politely(single, checkout):
    before = single.release
    checkout.write("app/examples/static/examples/new.css", "/* new */\n")
    checkout.commit("A new release")
    single.host.ssh(f"mkdir {RELEASES}/20200101-000000-forgotten && touch {STATIC}/forgotten.css")
    with Reader(single.site) as reader, Listener(single.site, "deploy") as listener:
        single.deploy(app_releases_kept=2).expect_success()
        after = single.release
        assert after != before
        assert set(single.host.ssh(f"ls {RELEASES}").split()) == {before, after}
        assert single.site.get("/static/examples/new.css") == 200
        assert single.site.get("/static/forgotten.css") == 404
        checkout.play("rollback").expect_success()
    assert single.release == before
    assert reader.failures == []
    assert reader.successes > 100
    assert listener.close_codes
    assert set(listener.close_codes) == {1012}
    assert max(listener.reconnect_seconds) < 2
    single.site.chat("lobby", "after the rollback")


IMPORT_ERROR = ("app/project/urls.py", "\nimport a_module_that_nobody_has\n")
LATEST = max(path.stem for path in (ROOT / "app/chat/migrations").glob("0*.py"))
MIGRATION = f"""
from django.db import migrations

def fail(apps, schema_editor):
    raise RuntimeError("this migration does not work")

class Migration(migrations.Migration):
    dependencies = [("chat", "{LATEST}")]
    operations = [migrations.RunPython(fail)]
"""
FAILING_MIGRATION = ("app/chat/migrations/9999_fails.py", MIGRATION)
NO_HEALTH = ("app/project/settings.py", "\nMIDDLEWARE = MIDDLEWARE[1:]\n")


@pytest.mark.parametrize(
    ("change", "step"),
    [
        pytest.param(
            IMPORT_ERROR, "Let Django check", id="import error", marks=pytest.mark.scenario
        ),
        pytest.param(
            NO_HEALTH, "where no visitor comes", id="failing health check",
            marks=pytest.mark.scenario,
        ),
        pytest.param(FAILING_MIGRATION, "Migrate the database", id="failing migration"),
    ],
)  # fmt: skip
def test_a_broken_release_is_refused_while_the_old_one_serves(single, checkout, change, step):
    before = single.release
    path, text = change
    checkout.write(path, text, append=(checkout.checkout / path).exists())
    checkout.commit("A broken release")
    with Reader(single.site) as reader, Listener(single.site, "broken") as listener:
        play = single.deploy()
    assert play.status != 0
    assert re.search(f'was refused at "[^"]*{step}', " ".join(play.output.split()))
    assert f"{before} still serves" in " ".join(play.output.split())
    assert single.release == before
    assert reader.failures == []
    assert listener.close_codes == []


def test_a_release_that_fails_only_in_its_place_is_taken_back(single, checkout):
    before = single.release
    only_there = "\nif 'INSTANCE' in os.environ:\n    raise SystemExit('not here')\n"
    checkout.write("app/project/settings.py", f"\nimport os{only_there}", append=True)
    checkout.commit("A release that fails in its place")
    with Reader(single.site) as reader:
        play = single.deploy()
    said = " ".join(play.output.split())
    assert play.status != 0
    assert f"which serves {before} again" in said
    assert f"rollback.yml -e app_release={before}" in said
    assert single.release == before
    assert reader.failures == []


@pytest.mark.scenario
def test_nginx_gets_a_new_binary_while_sockets_stay(single):
    master = "cat /run/nginx.pid"
    before = single.host.ssh(master)
    with Reader(single.site) as reader, Listener(single.site, "binary") as listener:
        single.host.ssh("/etc/init.d/nginx upgrade")
        wait_for(lambda: single.host.ssh(master) != before)
        single.site.chat("binary", "by the new one")
    assert listener.close_codes == []
    assert reader.failures == []
    assert single.host.ssh("systemctl is-active nginx").strip() == "active"


@pytest.mark.scenario
def test_debian_s_package_restarts_nginx_and_the_site_is_back_in_seconds(single):
    master = "cat /run/nginx.pid"
    before = single.host.ssh(master)
    single.host.ssh("apt-get install --yes --reinstall nginx-common nginx")
    single.site.wait(SECONDS_AFTER_PACKAGE)
    assert single.host.ssh(master) != before
    single.site.chat("package", "by the packaged one")


def test_the_host_serves_again_after_a_reboot(single):
    single.host.reboot()
    single.site.wait(SECONDS_AFTER_BOOT)
    assert single.site.get("/chat/") == 200
