"""Print, as JSON, the secrets in the settings of a site, by the controller's names for them.

    python3 read_secrets.py SETTINGS SECRET_KEY DATABASE_URL REDIS_URL CACHE_URL

The last four are the settings' names for them.
"""

import json
import shlex
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit


def password(url: str) -> str:
    return unquote(urlsplit(url).password or "")


def read(settings: Path, secret_key: str, *urls: str) -> dict[str, str]:
    if not settings.exists():
        return {}
    words = shlex.split(settings.read_text(), comments=True)
    values = dict(word.split("=", 1) for word in words if "=" in word)
    names = ("postgresql_password", "redis_password", "redis_cache_password")
    found = {name: password(values.get(url, "")) for name, url in zip(names, urls, strict=True)}
    found["django_secret_key"] = values.get(secret_key, "")
    backup_key = settings.parent / "backup" / "key"  # on the host that makes them
    found["backup_key"] = backup_key.read_text().strip() if backup_key.exists() else ""
    return {name: value for name, value in found.items() if value}


sys.stdout.write(json.dumps(read(Path(sys.argv[1]), *sys.argv[2:])))
