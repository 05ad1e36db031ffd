"""The how-tos without Ansible, typed on a bare host: a supervisor of its own, Debian's, systemd."""

import re
import shlex
import time
from collections.abc import Callable

import pytest
import websocket
from administrator import Administrator
from authority import Authority, Names
from front import Front
from visitors import Listener, Reader, Site

from support.server import wait_for

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(1500)]

NAME = "chat.lab.test"
#: All but the certificate of an authority.
STEPS = [rf"{number}\." for number in (1, 2, 3, 4, 5, 6, 7, 8, 10)]
UNITS = "stack.target stack-http.target stack-{http,websocket}@{1,2}.service"
SECONDS_AFTER_BOOT = 30
PATIENCE = 60


@pytest.fixture(scope="module")
def administrator(laboratory, tmp_path_factory):
    """Has brought a site up on a bare host."""
    (host,) = laboratory.boot("byhand")
    administrator = Administrator(tmp_path_factory.mktemp("byhand"), host, NAME)
    said = administrator.type("without-ansible", *STEPS)
    assert "PONG" in said
    assert len(re.findall(r"(?:http|websocket)-\d +RUNNING", said)) == 4
    assert "ready" in said.partition("test is successful")[2]
    assert "1 timers listed" in said
    return administrator


@pytest.fixture
def host(administrator):
    """No process of the site runs, before and after."""
    stop = (
        "systemctl disable --now stack@stack; rm -f /etc/supervisor/conf.d/stack.conf;"
        f" supervisorctl update stack-http stack-websocket; systemctl disable --now {UNITS};"
        " pgrep --uid stack --list-full"
    )
    running = administrator.host.ssh(stop, check=False)
    assert "gunicorn" not in running, running
    yield administrator.host
    administrator.host.ssh(stop, check=False)


@pytest.fixture
def site(host):
    """As its visitors see it."""
    return Site(host.address, host.ssh("cat /etc/ssl/certs/stack.pem"), NAME)


def releases(host) -> set[str]:
    """Which ones the processes run on."""
    return set(
        host.ssh(
            "for pid in $(pgrep --uid stack --full gunicorn); do"
            " tr '\\0' '\\n' </proc/$pid/environ | sed -n 's,^RELEASE=.*/,,p'; done"
        ).split()
    )


def check_what_visitors_see(site: Site, restart: Callable[[], object]) -> None:
    """Pages, static files, a chat; and a restart that nobody notices."""
    assert site.get("/static/examples/site.css") == 200
    site.chat("lobby", "hello by hand")
    with Reader(site) as reader, Listener(site, "restart") as listener:
        restart()
    assert reader.failures == []
    assert reader.successes > 10
    assert listener.close_codes
    assert set(listener.close_codes) == {1012}


def close_code(site: Site, act: Callable[[], object]) -> int:
    """What an open socket is closed with when one acts so."""
    client = site.connect("stop")
    try:
        act()
        client.settimeout(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            opcode, data = client.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big")
        raise TimeoutError
    finally:
        client.shutdown()


def test_the_page_leads_from_a_bare_host_to_the_next_version_and_back(administrator, host, site):
    def on_the_page(*headings: str) -> str:
        return administrator.type("without-ansible", *headings)

    host.ssh("systemctl enable --now stack@stack")
    site.wait(SECONDS_AFTER_BOOT)
    host.ssh("echo DJANGO_LOG_LEVEL=WARNING >>/etc/stack/environment")
    check_what_visitors_see(site, lambda: on_the_page("Restart"))
    (before,) = releases(host)
    administrator.write("app/examples/static/examples/new.css", "/* new */\n")
    after = administrator.publish("The next version")[:12]
    with Reader(site) as reader, Listener(site, "deploy") as listener:
        on_the_page(STEPS[5], "The next version")
        assert releases(host) == {after}
        assert site.get("/static/examples/new.css") == 200
        on_the_page("Roll back")
    assert releases(host) == {before}
    assert host.ssh("readlink /srv/stack/previous").strip() == f"releases/{after}"
    assert reader.failures == []
    assert set(listener.close_codes) == {1012}
    host.ssh("mkdir /srv/stack/releases/0123456789ab")
    assert set(on_the_page("Free the disk").split()) == {before, after}
    host.ssh("logrotate --force /etc/logrotate.d/nginx")
    with Reader(site) as reader:
        on_the_page("A new version of the stack")
    assert reader.failures == []
    assert "GET /chat/" in host.ssh("cat /var/log/nginx/stack.access.log")
    assert close_code(site, lambda: host.ssh("touch /etc/stack/maintenance")) == 1013
    assert site.get("/") == 503
    host.ssh("rm /etc/stack/maintenance")
    assert close_code(site, host.reboot) == 1012
    site.wait(SECONDS_AFTER_BOOT)


def test_debians_supervisor_runs_the_programs_beside_others(administrator, host, site):
    host.ssh(
        "apt-get install --yes --quiet --no-install-recommends supervisor && printf '%s\\n'"
        " [program:theirs] 'command=sleep infinity' >/etc/supervisor/conf.d/theirs.conf"
        " && supervisorctl update"
    )
    theirs = host.ssh("supervisorctl pid theirs")
    page = "into-your-own-supervisor"
    assert administrator.type(page, "Add").count("RUNNING") == 5
    check_what_visitors_see(site, lambda: administrator.type(page, "The next version"))
    assert close_code(site, lambda: administrator.type(page, "Stop")) == 1012
    assert host.ssh("supervisorctl pid theirs") == theirs
    host.ssh("systemctl restart supervisor")
    site.wait(SECONDS_AFTER_BOOT)
    assert re.search("theirs +RUNNING", host.ssh("supervisorctl status"))


def test_systemd_runs_them_without_a_supervisor(administrator, host, site):
    page = "plain-systemd-units"
    said = administrator.type(page, "Start")
    assert len(re.findall(r"stack\S*\.(?:service|target) +loaded active", said)) == 6
    check_what_visitors_see(site, lambda: administrator.type(page, "The next version"))
    assert close_code(site, lambda: administrator.type(page, "Stop")) == 1012
    show = "journalctl --boot --unit 'stack-*@*' --output=cat | grep ^Stopp | tail -8"
    journal = host.ssh(f"journalctl --sync; {show}")
    assert re.findall(r"stack-(\w+)@", journal) == 4 * ["websocket"] + 4 * ["http"]
    host.ssh("systemctl start stack.target")
    site.wait(SECONDS_AFTER_BOOT)
    assert close_code(site, host.reboot) == 1012
    site.wait(SECONDS_AFTER_BOOT)


def test_an_authority_issues_a_certificate(administrator, laboratory, tmp_path):
    host = administrator.host
    with (
        Names(laboratory.network, host.address).served() as names,
        Authority(laboratory.network, tmp_path).open(names) as authority,
    ):
        host.put(authority.certificate, "/usr/local/share/ca-certificates/authority.crt")
        answers = [
            "agree-tos = true",
            "non-interactive = true",
            "email = ada@example.com",
            f"server = {authority.directory}",
        ]
        host.ssh(
            "update-ca-certificates && mkdir -p ~/.config/letsencrypt &&"
            f" printf '%s\\n' {shlex.join(answers)} >~/.config/letsencrypt/cli.ini"
        )
        before = Front(host).certificate(NAME)
        try:
            administrator.type("without-ansible", r"9\.")
            wait_for(lambda: Front(host).certificate(NAME) != before)
            assert Site(host.address, authority.root, NAME).get("/static/examples/site.css") == 200
        finally:
            host.ssh(
                "cp /srv/stack/deploy/host/nginx/listen.conf /etc/nginx/stack/local/"
                " && systemctl reload nginx"
            )
