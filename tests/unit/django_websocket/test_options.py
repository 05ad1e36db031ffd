import subprocess
import sys

from django_websocket.options import Options, known_settings, setting_name
from support.server import ROOT


def test_setting_names():
    assert setting_name("max_message_size") == "WEBSOCKET_MAX_MESSAGE_SIZE"
    assert len(known_settings()) == len(Options.__dataclass_fields__)


def test_every_setting_says_its_reason_in_a_sentence():
    for name, field in known_settings().items():
        assert field.metadata["reason"].endswith("."), name


def test_what_gunicorn_loads_before_patching_imports_no_django():
    script = (
        "import sys, django_websocket.options, django_websocket.errors, django_websocket.worker\n"
        "sys.exit(any(name.partition('.')[0] in ('django', 'asgiref') for name in sys.modules))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONPATH": str(ROOT / "app")}
        ).returncode
        == 0
    )
