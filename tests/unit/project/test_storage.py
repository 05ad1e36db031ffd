import os
import re
import subprocess
import sys

from support.server import ROOT


def test_modules_import_each_other_by_names_that_change_with_their_content(tmp_path):
    env = os.environ | {"STATE_DIR": str(tmp_path), "DJANGO_DEBUG": "false"}
    collect = [sys.executable, ROOT / "app/manage.py", "collectstatic", "--noinput"]
    done = subprocess.run(collect, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (room,) = (tmp_path / "static/chat").glob("room.*.js")
    imports = re.findall(r'from "([^"]+)"', room.read_text())
    assert len(imports) == 6
    for name in imports:
        assert re.search(r"\.[0-9a-f]{12}\.js$", name)
        assert (room.parent / name).exists()
