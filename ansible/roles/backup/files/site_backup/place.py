"""Where everything of a site's backups is. The site's name is in the command's: SITE-backup."""

import json
import os
import sys
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

SITE = Path(sys.argv[0]).name.removesuffix("-backup")
CONFIG = Path("/etc", SITE, "backup")
SETTINGS = json.loads((CONFIG / "settings.json").read_text())
REPOSITORY: str = SETTINGS["repository"]

STATE = Path("/var/backups", SITE)
#: What a backup has beside the site's own files: the database, and what it is a backup of.
STAGED = STATE / "staged"
DUMP, MANIFEST = STAGED / "database.dump", STAGED / "manifest.json"
#: A backup that was brought here: below it stands each file with its whole path.
FETCHED = STATE / "fetched"
#: The time of the last good backup, in seconds since 1970.
LAST = STATE / "last"
#: Which repository was made for the site. When it is gone, no run of Ansible makes it again.
MADE = STATE / "repository"
#: Where node_exporter looks for metrics of others, if it is installed.
METRICS = Path("/var/lib/prometheus/node-exporter")


def fetched(path: Path) -> Path:
    return FETCHED / path.relative_to("/")


def write(path: Path, text: str) -> None:
    """As a whole, or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)


def environment() -> dict[str, str]:
    """Secrets among it: words of a command can be read by everybody."""
    return {
        **os.environ,
        "RESTIC_REPOSITORY": REPOSITORY,
        "RESTIC_PASSWORD_FILE": str(CONFIG / "key"),
        "RESTIC_CACHE_DIR": f"/var/cache/{SITE}-backup",
        "RESTIC_PROGRESS_FPS": "0.01",
        **database_environment(SETTINGS["database_url"]),
        **{name: str(value) for name, value in SETTINGS["environment"].items()},
    }


def database_environment(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    found = {
        "PGHOST": unquote(parts.hostname or options.get("host", "")),
        "PGPORT": str(parts.port or ""),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.removeprefix("/")),
        "PGSSLMODE": options.get("sslmode", ""),
        "PGSSLROOTCERT": options.get("sslrootcert", ""),
    }
    return {name: value for name, value in found.items() if value}
