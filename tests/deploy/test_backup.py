"""A site is backed up to another host, its host is lost, and a new one has everything again."""

import contextlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from controller import Controller, everything_on
from host import SSH_OPTIONS
from visitors import Site

from support.company.environments import environment
from support.ports import free_port
from support.server import wait_for

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(3000)]

KEY = "the key that somebody kept"
MEDIA = {"app_media_url": "/media/"}
SAID = "backed up, and back again"
USER = """
from django.contrib.auth.models import User
User.objects.create_superuser("grace", password="hopper")
"""
LOGIN = """
from django.contrib.auth import authenticate
print(authenticate(username="grace", password="hopper"))
"""


@pytest.fixture(scope="module")
def store(laboratory, tmp_path_factory):
    """Another machine, on which somebody may leave files; how the site's hosts reach it."""
    (host,) = laboratory.boot("store")
    key = tmp_path_factory.mktemp("key") / "backup"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    host.ssh("useradd -m -d /srv/keeper keeper && mkdir -p /srv/keeper/.ssh")
    host.put(key.with_suffix(".pub"), "/srv/keeper/.ssh/authorized_keys")
    host.ssh("chown -R keeper: /srv/keeper/.ssh && chmod 600 /srv/keeper/.ssh/authorized_keys")
    shown = host.ssh("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub").strip()
    variables = {
        "backup_repository": f"sftp:keeper@{host.address}:stack",
        "backup_ssh_key": str(key),
        "backup_ssh_known_hosts": f"{host.address} {shown}",
        "backup_check_percent": 100,
        "vault_backup_key": KEY,
    }
    return SimpleNamespace(host=host, variables=variables)


def provision(laboratory, folder, host, **variables):
    """A site on a new host, from a controller that knows nothing but these variables."""
    controller = Controller(
        folder, [host], laboratory.network, address=host.address, **everything_on(host.name)
    )
    controller.play("site", **MEDIA | variables).expect_success()
    site = Site(host.address, host.ssh("cat /etc/nginx/stack.d/tls/self-signed-*.pem"))

    def play(*words, **more):
        return controller.play(*words, **MEDIA | variables | more)

    return SimpleNamespace(host=host, site=site, play=play)


@pytest.fixture(scope="module")
def sites(laboratory, store, tmp_path_factory):
    """One with backups, and one elsewhere, with secrets of its own and without backups."""
    old, new = laboratory.boot("old", "new")
    with ThreadPoolExecutor() as pool:
        folders = [tmp_path_factory.mktemp(name) for name in ("old", "new")]
        first = pool.submit(provision, laboratory, folders[0], old, **store.variables)
        second = pool.submit(provision, laboratory, folders[1], new)
        return first.result(), second.result()


@pytest.fixture(scope="module")
def lost(sites):
    """What the first host said, before it was gone."""
    old, _ = sites
    old.site.chat("attic", SAID)
    old.host.ssh(f"stack-manage shell -c '{USER}'")
    old.host.ssh("mkdir /srv/stack/media/of && echo kept >/srv/stack/media/of/ada.txt")
    old.host.ssh("chown -R stack: /srv/stack/media/of")
    old.host.ssh("mkdir -p /var/lib/prometheus/node-exporter")
    again = old.play("site", "--tags=backup").expect_success()
    timers = old.host.ssh("systemctl list-timers --no-legend stack-backup.timer")
    backup = old.play("backup").expect_success()
    metrics = old.host.ssh("cat /var/lib/prometheus/node-exporter/stack-backup.prom")
    old.host.power_off()
    return SimpleNamespace(again=again, timers=timers, backup=backup, metrics=metrics)


@pytest.fixture(scope="module")
def new(sites, store, lost):
    """The other host, which somebody shows the repository and its key; then, what it restores."""
    _, new = sites
    plain = new.play

    def play(*words, **more):
        return plain(*words, **store.variables | more)

    play("site", "--tags=backup").expect_success()
    choice = play("restore")
    assert SAID not in new.site.read("/chat/attic/")
    restored = play("restore", restore="latest").expect_success()
    return SimpleNamespace(
        host=new.host, site=new.site, play=play, choice=choice, restored=restored
    )


def test_another_run_changes_nothing_and_every_night_there_is_a_backup(lost):
    assert lost.again.changed == {"old": 0}
    assert "stack-backup.timer" in lost.timers
    assert "was read back from there" in " ".join(lost.backup.output.split())
    assert 'site_backup_last_run_failed{site="stack"} 0' in lost.metrics
    assert KEY not in lost.backup.output + lost.again.output


def test_without_a_choice_the_backups_are_listed_and_nothing_is_changed(new):
    assert new.choice.status != 0
    assert "-e restore=latest" in " ".join(new.choice.output.split())
    assert "regular" in new.choice.output


def test_a_new_host_has_the_messages_the_users_and_the_files(new):
    assert "Restored the backup" in " ".join(new.restored.output.split())
    assert SAID in new.site.read("/chat/attic/")
    assert new.host.ssh(f"stack-manage shell -c '{LOGIN}'").split()[-1] == "grace"
    assert new.site.read("/media/of/ada.txt") == "kept\n"
    new.site.chat("attic", "what comes after")


def fails(host, command: str) -> str:
    """Why the command has failed, in one line."""
    said = host.ssh(f"{command} >/dev/null 2>/run/said && echo 'it worked' || cat /run/said")
    assert said != "it worked\n"
    return " ".join(said.split())


@contextlib.contextmanager
def changed(host, before: str, after: str):
    host.ssh(before)
    try:
        yield
    finally:
        host.ssh(after)


FETCH = "rm -rf /var/cache/stack-backup; stack-backup fetch latest"


def test_another_key_opens_nothing(new):
    key = "/etc/stack/backup/key"
    with changed(new.host, f"cp {key} /run/key; echo another >{key}", f"cp /run/key {key}"):
        assert f"The key in {key} does not open sftp:" in fails(new.host, FETCH)
        play = new.play("restore", restore="latest")
    assert play.status != 0
    assert "vault_backup_key" in " ".join(play.output.split())
    assert new.site.get("/chat/") == 200
    play = new.play("site", "--tags=backup", vault_backup_key="another")
    assert play.status != 0
    assert "other secrets than this controller: backup_key" in " ".join(play.output.split())
    assert new.host.ssh(f"cat {key}") == f"{KEY}\n"


def test_a_repository_that_is_gone_is_not_made_again(new, store):
    away = "mv /srv/keeper/stack /srv/keeper/away"
    with changed(store.host, away, "mv /srv/keeper/away /srv/keeper/stack"):
        new.play("site", "--tags=backup").expect_success()
        assert "is not mounted" in fails(new.host, "stack-backup now")
        fails(new.host, "systemctl start stack-backup")
    assert new.host.ssh("systemctl is-failed stack-backup").strip() == "failed"
    new.host.ssh("systemctl start stack-backup", timeout=300)


def test_a_damaged_archive_is_refused_and_the_site_keeps_what_it_has(new, store):
    new.site.chat("attic", "said before the damage")
    store.host.ssh("cp -a /srv/keeper/stack /srv/keeper/whole")
    damage = "for file in $(find /srv/keeper/stack/data -type f); do truncate -s 60 $file; done"
    mend = "rm -r /srv/keeper/stack; mv /srv/keeper/whole /srv/keeper/stack"
    with changed(store.host, damage, mend):
        assert "The repository is damaged" in fails(new.host, FETCH)
        assert "The repository is damaged" in fails(new.host, "stack-backup now")
    assert "said before the damage" in new.site.read("/chat/attic/")


def test_a_full_disk_stops_a_backup_and_the_next_one_works(new):
    full = "mount -t tmpfs -o size=16k none /var/backups/stack"
    with changed(new.host, full, "umount /var/backups/stack"):
        assert "The disk is full" in fails(new.host, "stack-backup now")
        assert "The disk is full" in fails(new.host, FETCH)


def test_a_restore_that_breaks_off_changes_nothing(new):
    """As when the disk of PostgreSQL is full: the dump ends in the middle."""
    new.site.chat("attic", "said before it breaks off")
    new.host.ssh("stack-backup fetch latest")
    new.host.ssh("truncate -s -2000 /var/backups/stack/fetched/var/backups/stack/staged/*.dump")
    fails(new.host, "stack-backup restore --discard")
    assert "said before it breaks off" in new.site.read("/chat/attic/")
    assert new.host.ssh(f"stack-manage shell -c '{LOGIN}'").split()[-1] == "grace"


@pytest.fixture
def s3(new):
    """An object store on this machine's loopback, which the host reaches on its own."""
    port = free_port()
    python = environment("s3")
    processes = [
        subprocess.Popen([python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)])
    ]
    forward = f"{port}:127.0.0.1:{port}"
    login = [
        "ssh",
        "-i",
        new.host.key,
        *SSH_OPTIONS,
        "-N",
        "-R",
        forward,
        f"root@{new.host.address}",
    ]
    processes.append(subprocess.Popen(login))
    try:
        wait_for(lambda: new.host.ssh(f"curl -s http://127.0.0.1:{port}/ || :"))
        yield {
            "backup_repository": f"s3:http://127.0.0.1:{port}/backups/stack",
            "backup_environment": {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"},
        }
    finally:
        for process in processes:
            process.terminate()
            process.wait()


@pytest.fixture
def elsewhere(new):
    """Play with backups in another place; afterwards, they are where they were."""
    yield new.play
    new.play("site", "--tags=backup").expect_success()


def test_an_object_store_and_a_folder_do_as_well(new, s3, elsewhere):
    for place in (s3, {"backup_repository": "/srv/backups"}):
        elsewhere("site", "--tags=backup", **place).expect_success()
        new.site.chat("attic", "kept in " + place["backup_repository"])
        elsewhere("backup", **place).expect_success()
        new.site.chat("attic", "not to be kept")
        elsewhere("restore", restore="latest", **place).expect_success()
        page = new.site.read("/chat/attic/")
        assert place["backup_repository"] in page
        assert "not to be kept" not in page


def test_switched_off_nothing_runs_and_the_key_stays(new, elsewhere):
    elsewhere("site", "--tags=backup", backup_repository="").expect_success()
    assert "stack-backup" not in new.host.ssh("systemctl list-timers --all --no-legend")
    assert new.host.ssh("cat /etc/stack/backup/key") == f"{KEY}\n"
    play = elsewhere("backup", backup_repository="")
    assert play.status != 0
    assert "set backup_repository and run site.yml" in " ".join(play.output.split())
