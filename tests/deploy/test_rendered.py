"""What the shipped inventories make of the templates is what nginx accepts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import roles

from support.certificate import self_signed

INVENTORIES = roles.ROLES.parent / "inventories"
SHIPPED = roles.ROLES.parents[1] / "deploy" / "nginx"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="nginx reads its logs' folder and binds port 80 only as root"
)


@pytest.fixture(params=sorted(path.name for path in INVENTORIES.iterdir()))
def rendered(request, tmp_path):
    """The folder with what the inventory makes of the templates."""
    name = request.param
    self_signed(tmp_path / "self-signed.pem", tmp_path / "self-signed.key", "test")
    play = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", INVENTORIES / name,
         Path(__file__).with_name("render.yml"), "-e", f"folder={tmp_path}",
         "-e", f"roles={roles.ROLES}", "-e", "ansible_connection=local"],
        check=False, capture_output=True, text=True, cwd=roles.ROLES.parent,
    )  # fmt: skip
    assert play.returncode == 0, play.stdout + play.stderr
    return tmp_path


def test_nginx_accepts_the_files_of_an_inventory(rendered):
    folders = [path for path in rendered.iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("local"), dirs_exist_ok=True)
        answer = subprocess.run(
            ["/usr/sbin/nginx", "-t", "-q", "-e", "stderr", "-c", folder / "nginx.conf"],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr


def test_the_gunicorns_trust_the_proxies_alone(rendered):
    proxies = {path.name for path in rendered.iterdir() if path.is_dir()}
    files = list(rendered.glob("*.environment"))
    assert files
    for file in files:
        lines = dict(line.partition("=")[::2] for line in file.read_text().splitlines())
        trusted = set(lines["FORWARDED_ALLOW_IPS"].split(","))
        assert trusted >= {"127.0.0.1", "::1"}
        assert len(trusted - {"127.0.0.1", "::1"}) == (0 if len(files) == 1 else len(proxies))
