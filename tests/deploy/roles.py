"""The roles' interfaces: what they declare, and the table of it in each README.

``python tests/deploy/roles.py`` writes the tables anew.
"""

from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[2] / "ansible" / "roles"
BEGIN, END = "<!-- variables -->\n", "<!-- /variables -->\n"


def names() -> list[str]:
    return sorted(path.name for path in ROLES.iterdir() if path.is_dir())


def options(role: str) -> dict[str, dict[str, Any]]:
    """What argument_specs declare, by variable."""
    return _load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]


def defaults(role: str) -> dict[str, Any]:
    return _load(role, "defaults/main.yml")


def table(role: str) -> str:
    rows = ["| variable | type | default | what |", "|---|---|---|---|"]
    given = defaults(role)
    for name, option in options(role).items():
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        default = _shown(given[name]) if name in given else "none"
        rows.append(f"| `{name}` | {kind} | {default} | {option['description']} |")
    return "\n".join(rows) + "\n"


def readme(role: str) -> Path:
    return ROLES / role / "README.md"


def write_tables() -> None:
    for role in names():
        before, rest = readme(role).read_text().split(BEGIN)
        _, after = rest.split(END)
        readme(role).write_text(f"{before}{BEGIN}{table(role)}{END}{after}")


def _shown(default: Any) -> str:
    if isinstance(default, str) and "{{" in default:
        return "from the inventory"
    if isinstance(default, list) and "{{" in str(default):
        return "from the inventory"
    return f"`{yaml.safe_dump(default, default_flow_style=True, width=999).split(chr(10))[0]}`"


def _load(role: str, path: str) -> dict[str, Any]:
    return yaml.safe_load((ROLES / role / path).read_text())


if __name__ == "__main__":
    write_tables()
