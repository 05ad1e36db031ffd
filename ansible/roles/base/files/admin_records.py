#!/usr/bin/python3
"""Print the administrators of each site on this host: {"/etc/SITE/admins.json": {name: …}}."""

import json
import sys
from pathlib import Path


def record(path: Path) -> dict[str, dict[str, object]]:
    """Empty if the file belongs to another program."""
    try:
        content = json.loads(path.read_text())
        return {
            name: {"made": user["made"], "keys": user["keys"]} for name, user in content.items()
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}


records = {str(path): record(path) for path in Path("/etc").glob("*/admins.json")}
sys.stdout.write(json.dumps(records))
