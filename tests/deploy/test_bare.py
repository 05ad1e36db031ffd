"""A bare Debian host, and plays that may not change it."""

import pytest
from controller import Controller, everything_on

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def host(laboratory):
    """Booted, and nothing else."""
    (host,) = laboratory.boot("bare")
    return host


@pytest.fixture(scope="module")
def bare(host, laboratory, tmp_path_factory):
    """Its controller."""
    return Controller(
        tmp_path_factory.mktemp("bare"), [host], laboratory.network,
        address=host.address, **everything_on("bare"),
    )  # fmt: skip


def test_a_dry_run_changes_nothing(host, bare):
    host.ssh("touch /run/marker && sleep 1")
    play = bare.play("site", "--check", "--diff")
    assert play.status == 0, play.output[-4000:]
    assert host.ssh("find /etc /srv /usr /opt /var/lib -newer /run/marker -type f") == ""
    secrets = [path for path in (bare.checkout / "ansible/secrets").rglob("*") if path.is_file()]
    assert len(secrets) == 5, "made on the controller, for the run that follows"
    assert not any(path.read_text().strip() in play.output for path in secrets)


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"nginx_tls": "letsencrypt"}, "nginx_tls"),
        ({"app_releases_kept": "many"}, "app_releases_kept"),
        ({"nginx_sever_names": ["typo.example.com"]}, "nginx_sever_names"),
        ({"nginx_tls": "acme"}, "nginx_acme_email"),
        ({"nginx_tls": "acme", "nginx_acme_email": "ada@example.com"}, "stack_server_names"),
        ({"stack_server_names": []}, "stack_server_names"),
    ],
)
def test_a_wrong_variable_is_refused_by_name_before_anything_is_touched(bare, variables, name):
    play = bare.play("site", **variables)
    assert play.status != 0
    assert name in play.output
    assert play.changed == {"bare": 0}
    assert "PLAY [Every host]" not in play.output


#: What a play does that stops before the first role.
NOTHING = "--tags=nothing"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            "systemd-run --unit=t python3 -m http.server 8201",
            "systemctl stop t",
            ["8201", "python3"],
        ),
        ("systemd-run --unit=t python3 -m http.server 443", "systemctl stop t", ["443", "nginx"]),
        ("mkdir -p /srv/stack/theirs", "rm -r /srv/stack", ["/srv/stack", "stack_site"]),
        ("useradd -d /nowhere stack", "userdel stack", ["the user", "/nowhere", "stack_site"]),
    ],
)
def test_what_the_host_already_has_is_refused_by_name(host, bare, before, after, words):
    host.ssh(before)
    try:
        play = bare.play("site", NOTHING)
    finally:
        host.ssh(after)
    assert play.status != 0
    assert play.changed == {"bare": 0}
    assert all(word in play.output for word in words)


def test_the_firewall_closes_nothing_that_somebody_may_need(host, bare):
    host.ssh("systemd-run --unit=theirs python3 -m http.server 9700")
    try:
        refused = bare.play("site", "--tags=firewall")
        said = bare.play("site", "--tags=firewall", "--check", base_open_ports=["9000-9999"])
    finally:
        host.ssh("systemctl stop theirs")
    assert refused.status != 0
    assert refused.changed == {"bare": 0}
    assert 'base_open_ports: ["9700"]' in " ".join(refused.output.split())
    assert "9700 of python3" in " ".join(refused.output.split())
    said.expect_success()


@pytest.fixture
def with_secrets(host):
    """The host has the settings of a site, and its secrets."""
    host.ssh("""mkdir -p /etc/stack && cd /etc/stack && touch README && cat >environment <<'END'
DJANGO_SECRET_KEY='a "key"'"'"'s'
DATABASE_URL=postgres://stack:p%2Fg%20$@127.0.0.1:5432/stack
REDIS_URL='redis://stack:r@127.0.0.1:6379/0'
END
""")
    yield {"django_secret_key": 'a "key"\'s', "postgresql_password": "p/g $", "redis_password": "r"}
    host.ssh("rm -r /etc/stack")


def test_a_colleague_does_not_give_a_site_new_secrets(bare, with_secrets, tmp_path):
    folder = tmp_path / "colleague"
    play = bare.play("site", NOTHING, stack_secrets=str(folder))
    assert play.status != 0
    assert play.changed == {"bare": 0}
    assert "secrets.yml" in play.output
    assert not folder.exists()
    new = tmp_path / "new"
    bare.play("site", NOTHING, stack_secrets=str(new), stack_new_secrets=True).expect_success()
    read = bare.play("secrets", stack_secrets=str(folder)).expect_success()
    assert {file.name: file.read_text().strip() for file in folder.iterdir()} == with_secrets
    assert not any(secret in read.output for secret in with_secrets.values() if len(secret) > 1)
    bare.play("site", NOTHING, stack_secrets=str(folder)).expect_success()


def test_a_secret_that_differs_from_the_one_of_the_site_is_refused(bare, with_secrets, tmp_path):
    for name, secret in with_secrets.items():
        (tmp_path / name).write_text(secret)
    (tmp_path / "redis_password").write_text("another")
    play = bare.play("site", NOTHING, stack_secrets=str(tmp_path))
    assert play.status != 0
    assert "other secrets than this controller: redis_password" in " ".join(play.output.split())
    vault = {f"vault_{name}": value for name, value in with_secrets.items()}
    bare.play("site", NOTHING, stack_secrets=str(tmp_path), **vault).expect_success()
