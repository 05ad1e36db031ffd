#!/usr/bin/python3
"""Print, as JSON, what nginx serves on this host beside the site, and what would collide with it.

Ansible runs it with what the site needs, as JSON, in the first argument. It changes nothing.
"""

import fnmatch
import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ETC = Path("/etc/nginx")
PORTS = {"80", "443"}
#: The page that Debian serves until something else is configured.
AVAILABLE_PAGE = ETC / "sites-available" / "default"
DEBIANS_PAGE = str(ETC / "sites-enabled" / "default")
TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<end>[;{}])
        |"(?P<double>(?:\\.|[^"\\])*)"
        |'(?P<single>(?:\\.|[^'\\])*)'
        |(?P<word>(?:\$\{|\\.|[^\s;{}\\])+)""",
    re.DOTALL | re.VERBOSE,
)


class Directive:
    """``words`` of the file ``file``; ``block`` are the directives in its braces."""

    def __init__(self, words: list[str], file: str):
        self.words, self.file = words, file
        self.block: list[Directive] = []

    def inside(self, name: str) -> "Iterator[Directive]":
        """The directives of this name in the block, its servers and locations."""
        for each in self.block:
            if each.words[0] == name:
                yield each
            yield from each.inside(name)


class Configuration:
    """The configuration as ``nginx -T`` prints it: every file after a line with its path."""

    def __init__(self, dump: str):
        parts = re.split(r"^# configuration file (.*):\n", dump, flags=re.MULTILINE)
        self._files = dict(zip(parts[1::2], parts[2::2], strict=True))
        self.root = Directive(["main"], "")
        self.includes: list[Directive] = []
        self._read(parts[1], self.root)

    def _read(self, file: str, parent: Directive) -> None:
        open_blocks, words = [parent], list[str]()
        for token in TOKEN.finditer(self._files[file]):
            end = token["end"]
            if end is None:
                if token.lastgroup:
                    words.append(token[token.lastgroup])
            elif end == "}":
                open_blocks.pop()
            elif words[:1] == ["include"]:
                self.includes.append(Directive(words, file))
                for included in self._included(words[1]):
                    self._read(included, open_blocks[-1])
            else:
                directive = Directive(words or [""], file)
                open_blocks[-1].block.append(directive)
                if end == "{":
                    open_blocks.append(directive)
            words = [] if end else words

    def _included(self, pattern: str) -> list[str]:
        return fnmatch.filter(self._files, str(ETC / pattern))


class Site:
    """``wants``: the site's name, its server names, and the settings that it needs."""

    def __init__(self, wants: dict[str, Any]):
        self.wants = wants
        self.name = wants["site"]
        self.prefix = self.name.replace("-", "_") + "_"
        self.link = ETC / self.name
        #: Files that may have the line that adds the site. If no server is declared as the default
        #: one, the first one answers unknown names: then the site must come last.
        self.entries = [
            ETC / place / name
            for place, name in (
                ("conf.d", f"{self.name}.conf"),
                ("sites-enabled", f"zz-{self.name}.conf"),
                ("conf.d", f"zz-{self.name}.conf"),
            )
        ]

    def owns(self, file: str | Path) -> bool:
        path = Path(file)
        return path.is_relative_to(self.link) or (path in self.entries and self._is_entry(path))

    def _is_entry(self, path: Path) -> bool:
        return path.is_file() and f"include {self.name}/conf.d/" in path.read_text()

    @property
    def entry(self) -> Path | None:
        """The file that adds the site now."""
        return next((path for path in self.entries if self._is_entry(path)), None)

    @property
    def owns_nginx_conf(self) -> bool:
        conf = ETC / "nginx.conf"
        return conf.exists() and f"include {self.name}/nginx.conf;" in conf.read_text()

    @property
    def default_ports(self) -> set[str]:
        """The ports on which the site is the default server now."""
        conf = self.link / "local" / "http.conf"
        text = conf.read_text() if conf.exists() else ""
        return {port for port in PORTS if re.search(rf"listen {port} .*default_server", text)}

    def refusals(self, others: "Others") -> Iterator[str]:
        """What prevents the site, in sentences."""
        is_link = self.link.is_symlink() and str(self.link.readlink()).startswith(f"{self.name}.d/")
        known = {self.link: is_link} | {path: self._is_entry(path) for path in self.entries}
        for path, is_ours in known.items():
            if (path.exists() or path.is_symlink()) and not is_ours:
                yield (
                    f"{path} is there and not of this site: give the site another name "
                    "(stack_site), or move it away"
                )
        for server in others.servers:
            yield from self._refusals_of(server)
        for kind, name, file in others.names:
            if name.startswith(self.prefix):
                yield (
                    f"{file} has the {kind} {name}, which begins like those of this site: "
                    "rename it, or the site (stack_site)"
                )
        yield from _other_programs()

    def _refusals_of(self, server: Directive) -> Iterator[str]:
        listens = [each for each in _listens(server) if _port(each) in PORTS]
        if not listens:
            return
        for name in sorted(_server_names(server) & {each.lower() for each in self.wants["names"]}):
            yield (
                f"{server.file} has a server with the name {name}: take the name out of it, "
                "or out of stack_server_names"
            )
        for each in listens:
            if self.wants["default_server"] == "always" and _is_default(each):
                yield (
                    f"{each.file} has the default server of {each.words[1]}: take the word "
                    "default_server out of it, or set nginx_default_server to never"
                )


class Others:
    """The servers, zones, maps and upstreams of other sites."""

    def __init__(self, configuration: Configuration, site: Site, but: str | None):
        everything = configuration.root
        self.servers = [
            each for http in everything.inside("http") for each in http.block
            if each.words[0] == "server" and not site.owns(each.file) and each.file != but
        ]  # fmt: skip
        self.names = list(self._names(everything, site))

    def on(self, port: str) -> list[Directive]:
        """The listen directives of a port."""
        return [each for server in self.servers for each in _listens(server) if _port(each) == port]

    @property
    def is_order_decisive(self) -> bool:
        """Whether one of them answers unknown names only because it comes first."""
        undeclared = (not any(map(_is_default, self.on(port))) for port in PORTS if self.on(port))
        return any(undeclared)

    @staticmethod
    def _names(everything: Directive, site: Site) -> Iterator[tuple[str, str, str]]:
        kinds = {"upstream": 1, "log_format": 1, "map": -1, "geo": -1, "split_clients": -1}
        for kind, place in kinds.items():
            for each in everything.inside(kind):
                if not site.owns(each.file) and len(each.words) > 1:
                    yield kind, each.words[place].lstrip("$"), each.file
        for kind in ("limit_conn_zone", "limit_req_zone", "proxy_cache_path"):
            for each in everything.inside(kind):
                for word in each.words:
                    found = re.match(r"(?:keys_)?zone=([^:]+)", word)
                    if found and not site.owns(each.file):
                        yield "zone", found[1], each.file


def _listens(server: Directive) -> list[Directive]:
    """Its listen directives, or nginx's default."""
    found = [each for each in server.block if each.words[0] == "listen"]
    return found or [Directive(["listen", "80"], server.file)]


def _is_default(listen: Directive) -> bool:
    return not {"default_server", "default"}.isdisjoint(listen.words)


def _server_names(server: Directive) -> set[str]:
    lines = (each.words[1:] for each in server.block if each.words[0] == "server_name")
    return {word.lower() for line in lines for word in line}


def _port(listen: Directive) -> str:
    address = listen.words[1]
    if address.isdigit() or address.startswith("unix:"):
        return address
    found = re.search(r":(\d+)$", address)
    return found[1] if found else "80"


def _other_programs() -> Iterator[str]:
    """Other programs that listen on the site's ports."""
    listening = _run("ss", "-Hltnp").stdout
    for line in listening.splitlines():
        _, port = line.split()[3].rsplit(":", 1)
        program = re.search(r'users:\(\("([^"]+)"', line)
        if port in PORTS and program and program[1] != "nginx":
            yield f"{program[1]} listens on port {port}: stop it, or let it listen elsewhere"


def _is_debians(path: Path) -> bool:
    """Whether it is as Debian's package has installed it."""
    known = _run("dpkg-query", "--show", "--showformat=${Conffiles}\n", "nginx", "nginx-common")
    return path.is_file() and (
        f" {path} {hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}"
        in known.stdout
    )


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    if not shutil.which(words[0]):
        return subprocess.CompletedProcess(words, 127, "", "")
    return subprocess.run(words, check=False, capture_output=True, text=True)


def _is_bare(site: Site) -> bool:
    """Whether nginx is as Debian installs it, and serves nothing but Debian's own page."""
    enabled = {path.resolve() for path in (ETC / "sites-enabled").glob("*")}
    return (
        _is_debians(ETC / "nginx.conf")
        and enabled <= {AVAILABLE_PAGE}
        and (not enabled or _is_debians(AVAILABLE_PAGE))
        and not [path for path in (ETC / "conf.d").glob("*.conf") if not site.owns(path)]
    )


def _place(site: Site, others: Others, configuration: Configuration) -> Path:
    """The file in which to add the site."""
    conf_d, enabled, last = site.entries
    if not others.is_order_decisive:
        return conf_d
    includes = [each.words[1] for each in configuration.includes]
    return enabled if any(fnmatch.fnmatch(enabled, ETC / pattern) for pattern in includes) else last


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def _too_small(configuration: Configuration, wants: dict[str, Any]) -> str:
    """Which limits of the host's nginx.conf are too low for the site, in a sentence; or empty."""

    def number(name: str, block: list[Directive], default: int) -> int:
        found = [each for each in block if each.words[0] == name]
        return int(found[-1].words[1]) if found else default

    main = configuration.root.block
    events = [each for block in main if block.words[0] == "events" for each in block.block]
    numbers = (
        ("worker_connections", number("worker_connections", events, 512)),
        ("open_files", number("worker_rlimit_nofile", main, 1024)),
    )
    names = {"open_files": "worker_rlimit_nofile"}
    less = [
        f"{names.get(name, name)} {has} (the site needs {wants[name]})"
        for name, has in numbers
        if has < wants[name]
    ]
    if not any(each.words[0] == "worker_shutdown_timeout" for each in main):
        less.append("no worker_shutdown_timeout (1h lets a reload end old processes)")
    if not less:
        return ""
    return f"{ETC}/nginx.conf, which is not the site's, has {', '.join(less)}: change it there."


def main() -> None:
    site = Site(json.loads(sys.argv[1]))
    found: dict[str, Any] = {
        "owns_nginx_conf": True,
        "ipv6": _has_ipv6(),
        "version": "",
        "refused": [],
        "too_small": "",
        "default_ports": sorted(PORTS),
        "entry": str(site.entries[0]),
    }
    if Path("/usr/sbin/nginx").exists():
        found |= _beside(site)
    else:
        found["refused"] = list(_other_programs())
    sys.stdout.write(json.dumps(found))


def _beside(site: Site) -> dict[str, Any]:
    """What an nginx that is already installed means for the site."""
    found: dict[str, Any] = {
        "version": _run("/usr/sbin/nginx", "-v").stderr.rpartition("/")[2].split()[0]
    }
    is_bare = _is_bare(site)
    owns_nginx_conf = is_bare or site.owns_nginx_conf or site.wants["replace_nginx_conf"]
    found["owns_nginx_conf"] = owns_nginx_conf
    dump = _run("/usr/sbin/nginx", "-T")
    if dump.returncode != 0:
        if site.entry is None:
            found["refused"] = [f"nginx -t fails without the site: {dump.stderr.strip()}"]
        else:  # A new version may fix it. The site keeps what it has now.
            found |= {"entry": str(site.entry), "default_ports": sorted(site.default_ports)}
        return found
    configuration = Configuration(dump.stdout)
    others = Others(configuration, site, but=DEBIANS_PAGE if is_bare else None)
    free = {port for port in PORTS if not others.on(port)}
    return found | {
        "refused": list(site.refusals(others)),
        "default_ports": sorted(free | site.default_ports),
        "entry": str(site.entry or _place(site, others, configuration)),
        "too_small": "" if owns_nginx_conf else _too_small(configuration, site.wants),
    }


if __name__ == "__main__":
    main()
