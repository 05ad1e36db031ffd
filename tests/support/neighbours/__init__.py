"""A project whose sockets could disturb each other, or the pages beside them."""

import json

from support import site


def environment(folder, **settings):
    """For ``serve()``: a migrated database in ``folder``, and settings of the test's own."""
    return {
        "SITE_DATABASE": f"sqlite:///{folder / 'db.sqlite3'}",
        "NEIGHBOURS": json.dumps(settings),
        "DJANGO_SETTINGS_MODULE": "support.neighbours.settings",
    }


def prepare(env, *, users):
    """Migrate; the cookies of so many users who are logged in."""
    return site.prepare(dict(env), users=users, settings="support.neighbours.settings")
