"""A small Django project for tests that need a live WebSocket application of their own."""

import os
import subprocess
import sys

from support.server import ROOT

_SCRIPT = """
import sys, django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
for number in range(int(sys.argv[1])):
    client = Client()
    client.force_login(User.objects.create_user(f"user{number}"))
    print("sessionid=" + client.cookies["sessionid"].value)
"""


def prepare(
    env: dict[str, str], *, users: int, settings: str = "support.site.settings"
) -> list[str]:
    """Migrate the database that ``env`` names; the cookies of so many users who are logged in."""
    env |= {
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": f"{ROOT / 'app'}:{ROOT / 'tests'}",
    }
    command = [sys.executable, "-c", _SCRIPT, str(users)]
    run = subprocess.run(
        command, env=os.environ | env, check=True, stdout=subprocess.PIPE, text=True
    )
    return run.stdout.split()
