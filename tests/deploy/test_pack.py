"""How a release is packed on the controller."""

import os
import subprocess
import time

import roles

PACK = roles.ROLES / "app" / "files" / "pack"
TWO_DAYS = 2 * 24 * 3600


def pack(version, archives):
    return subprocess.run([PACK, version, archives], check=False, capture_output=True, text=True)


def test_the_same_content_has_the_same_name(tmp_path):
    first, again = (pack("worktree", tmp_path / "archives") for _ in range(2))
    assert first.stdout == again.stdout
    (archive,) = (tmp_path / "archives").iterdir()
    assert archive.name == f"{first.stdout.strip()}.tar.gz"


def test_an_unknown_revision_is_refused_by_name(tmp_path):
    refused = pack("v0.0.nowhere", tmp_path)
    assert refused.returncode == 1
    assert "git knows no revision 'v0.0.nowhere'" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_archives_of_earlier_days_do_not_pile_up(tmp_path):
    for name in "worktree-0123456789ab.tar.gz", "worktree-0123456789ab.static.tar.gz":
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - TWO_DAYS,) * 2)
    (tmp_path / "of-a-deploy-that-goes-on.tar.gz").touch()
    release = pack("worktree", tmp_path).stdout.strip()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"of-a-deploy-that-goes-on.tar.gz", f"{release}.tar.gz"}
