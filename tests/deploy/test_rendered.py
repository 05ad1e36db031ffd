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


@pytest.mark.parametrize("name", sorted(path.name for path in INVENTORIES.iterdir()))
def test_nginx_accepts_the_files_of_an_inventory(name, tmp_path):
    self_signed(tmp_path / "self-signed.pem", tmp_path / "self-signed.key", "test")
    play = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", INVENTORIES / name,
         Path(__file__).with_name("render.yml"), "-e", f"folder={tmp_path}",
         "-e", "ansible_connection=local"],
        check=False, capture_output=True, text=True, cwd=roles.ROLES.parent,
    )  # fmt: skip
    assert play.returncode == 0, play.stdout + play.stderr
    rendered = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert rendered
    for folder in rendered:
        shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("local"), dirs_exist_ok=True)
        answer = subprocess.run(
            ["/usr/sbin/nginx", "-t", "-q", "-e", "stderr", "-c", folder / "nginx.conf"],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
