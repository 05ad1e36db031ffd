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
    assert len(secrets) == 3, "made on the controller, for the run that follows"
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
