import stat
import subprocess
import sys

from project.secret_key import read_or_make
from support.server import ROOT


def test_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "state" / "secret_key"
    key = read_or_make(path)
    assert len(key) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make(path) == key
    assert [entry.name for entry in path.parent.iterdir()] == ["secret_key"]


def test_processes_that_start_together_agree(tmp_path):
    script = (
        "import sys, pathlib; from project.secret_key import read_or_make; sys.stdin.read();"
        "print(read_or_make(pathlib.Path(sys.argv[1])))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "secret_key"],
            env={"PYTHONPATH": str(ROOT / "app")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(8)
    ]
    for process in processes:
        process.stdin.close()  # all of them import first, and then go together
    keys = {process.stdout.read() for process in processes}
    for process in processes:
        process.stdout.close()
        process.wait()
    assert len(keys) == 1
    assert keys != {b""}
