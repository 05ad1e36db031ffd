"""Print, as JSON, what may prevent a site on this host: who listens, who has its name.

python3 look.py SITE FOLDER...
"""

import json
import pwd
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: The chain in each site's table, by which we recognise it.
OURS = "site_ports"
ANYWHERE = {"*", "0.0.0.0", "::"}


def listeners() -> Iterator[dict[str, Any]]:
    for line in run("/usr/bin/ss", "-Hltunp").splitlines():
        protocol, _, _, _, local, _, *process = line.split(maxsplit=6)
        address, _, port = local.rpartition(":")
        address = address.partition("%")[0].strip("[]")
        found = re.search(r'"([^"]+)",pid=(\d+)', "".join(process))
        yield {
            "port": int(port),
            "protocol": protocol,
            "address": "*" if address in ANYWHERE else address,
            "is_local": address.startswith("127.") or address == "::1",
            "program": found[1] if found else "the kernel",
            "user": owner(found[2]) if found else "root",
        }


def owner(process: str) -> str:
    try:
        return Path("/proc", process).owner()
    except (KeyError, OSError):
        return ""


def firewalls(listing: str) -> Iterator[str]:
    """The chains that drop packets by default, except those of our sites."""
    chains = [line["chain"] for line in json.loads(listing)["nftables"] if "chain" in line]
    ours = {chain["table"] for chain in chains if chain["name"] == OURS}
    for chain in chains:
        drops = chain.get("hook") == "input" and chain.get("policy") == "drop"
        if drops and chain["table"] not in ours:
            yield " ".join(chain[name] for name in ("family", "table", "name"))


def home(user: str) -> str:
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return ""


def is_filled(folder: str) -> bool:
    return Path(folder).is_dir() and any(Path(folder).iterdir())


def run(*words: str) -> str:
    """What a command prints; empty if there is no such command, or if it fails."""
    try:
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""


def look(site: str, *folders: str) -> dict[str, Any]:
    listing = run("/usr/sbin/nft", "--json", "list", "chains") or '{"nftables": []}'
    tables = run("/usr/sbin/nft", "list", "tables")
    return {
        "listeners": list(listeners()),
        "firewalls": list(firewalls(listing)),
        "is_firewalled": f'"{OURS}"' in listing,
        "has_table": f"table inet {site}" in tables.splitlines(),
        "home": home(site),
        "folders": [folder for folder in folders if is_filled(folder)],
    }


sys.stdout.write(json.dumps(look(*sys.argv[1:])))
