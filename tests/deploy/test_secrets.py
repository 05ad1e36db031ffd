"""A controller without the secrets of a site: what it says, whichever hosts it is told to go to."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import roles

SETTINGS = "DJANGO_SECRET_KEY='a key'\nREDIS_URL=redis://stack:p%2Fw@127.0.0.1:6379/0\n"
#: Nobody answers there.
GONE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


@pytest.fixture
def compare(tmp_path):
    """Run the comparison on some hosts, all of which are this machine."""
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "environment").write_text(SETTINGS)
    groups = {
        "proxy": {"proxy1": {}},
        "web": {"web1": {}},
        "websocket": {"gone1": GONE},
        "redis": {"data1": {}},
        "postgresql": {"data1": {}},
    }
    inventory = {
        "vars": {
            "ansible_connection": "local",
            "ansible_become": False,
            "stack_config": str(tmp_path / "settings"),
            "stack_secrets": str(tmp_path / "secrets"),
            "stack_server_names": ["a.example"],
        },
        "children": {name: {"hosts": hosts} for name, hosts in groups.items()},
    }
    (tmp_path / "hosts.json").write_text(json.dumps({"all": inventory}))

    def run(limit: str, playbook: str = "plays/secrets") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", tmp_path / "hosts.json",
             f"{playbook}.yml", "--limit", limit],
            check=False, capture_output=True, text=True, cwd=roles.ROLES.parent,
            env=os.environ | {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(tmp_path)},
        )  # fmt: skip

    return run


@pytest.mark.parametrize("limit", ["web1", "data1"])
def test_secrets_of_any_host_count_also_where_another_one_is_away(compare, tmp_path, limit):
    play = compare(limit)
    said = " ".join((play.stdout + play.stderr).split())
    assert play.returncode != 0
    assert "does not have them: django_secret_key, redis_password." in said
    assert not (tmp_path / "secrets").exists()


def test_a_controller_that_has_them_needs_no_other_host(compare, tmp_path):
    (tmp_path / "secrets").mkdir()
    names = ["django_secret_key", "postgresql_password", "redis_password", "redis_cache_password"]
    for name in names:
        (tmp_path / "secrets" / name).write_text({"redis_password": "p/w"}.get(name, "a key"))
    play = compare("web1,data1")
    assert play.returncode == 0, play.stdout + play.stderr
    assert "gone1" not in play.stdout


def test_the_key_of_backups_is_read_back_from_the_host_that_has_it(compare, tmp_path):
    (tmp_path / "settings" / "backup").mkdir()
    (tmp_path / "settings" / "backup" / "key").write_text("a key of backups\n")
    play = compare("web1,data1")
    assert "redis_password, backup_key" in " ".join(play.stdout.split())
    compare("web1", "secrets").check_returncode()
    assert (tmp_path / "secrets" / "backup_key").read_text() == "a key of backups\n"
