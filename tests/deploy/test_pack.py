"""How a release is packed on the controller."""

import os
import subprocess
import tarfile
import time

import pytest
import roles
from controller import ROOT
from repository import Repository

PACK = roles.ROLES / "app" / "files" / "pack"
TWO_DAYS = 2 * 24 * 3600


def pack(version, archives, repository=ROOT):
    return subprocess.run(
        [PACK, repository, version, archives], check=False, capture_output=True, text=True
    )


@pytest.fixture
def repository(tmp_path):
    """A team's, with one commit."""
    (tmp_path / "shop").mkdir()
    repository = Repository(tmp_path / "shop")
    repository.git("init", "--quiet", "--initial-branch=trunk")
    repository.write("manage.py", "first")
    repository.commit("The first")
    return repository


def packed_file(process, archives, name):
    """What a file of the archive holds."""
    assert process.returncode == 0, process.stderr
    with tarfile.open(archives / f"{process.stdout.strip()}.tar.gz") as archive:
        return archive.extractfile(name).read().decode()


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


def test_a_url_is_cloned_once_and_followed(tmp_path, repository):
    archives = tmp_path / "archives"
    url = f"file://{repository.files}"
    first = pack("HEAD", archives, url)
    assert packed_file(first, archives, "manage.py") == "first"
    repository.write("manage.py", "second")
    repository.commit("The second")
    again = pack("trunk", archives, url)
    assert again.stdout != first.stdout
    assert packed_file(again, archives, "manage.py") == "second"


def test_a_folder_below_a_repository_is_packed_alone(tmp_path, repository):
    (repository.files / "backend").mkdir()
    repository.write("backend/manage.py", "below")
    repository.commit("One below")
    for version in "HEAD", "worktree":
        process = pack(version, tmp_path / "archives", repository.files / "backend")
        assert packed_file(process, tmp_path / "archives", "manage.py") == "below"


@pytest.mark.parametrize(
    ("repository", "version", "sentence"),
    [
        ("/nowhere/shop", "HEAD", "there is no folder /nowhere/shop, and it is no URL"),
        ("https://example.invalid/shop.git", "worktree", "is a URL, which has no worktree"),
        ("/", "HEAD", "is not in a git repository. Run there: git init"),
    ],
)
def test_a_repository_that_is_none_is_refused_by_name(tmp_path, repository, version, sentence):
    refused = pack(version, tmp_path, repository)
    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert list(tmp_path.iterdir()) == []
