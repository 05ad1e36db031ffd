"""Certificates of an ACME authority, on a proxy alone: the other groups never see them."""

import re
import socket
import ssl

import pytest
from authority import Authority, Names
from controller import Controller, Play, everything_on
from machine import ca_certificates

from support.server import PATIENCE, wait_for

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]

NAME = "chat.example.com"
FURTHER = "www.chat.example.com"
UNHEARD_OF = "new.chat.example.com"
ELSEWHERE = "elsewhere.example.com"


class Proxy:
    """A host that is provisioned from bare, and again. ``authority`` is that of the last play that
    succeeded; there is another one to change to."""

    def __init__(self, host, controller, authorities):
        self.host = host
        self._controller = controller
        self._authorities = authorities
        self.authority = authorities[0]
        self.play(self.authority, [NAME], roles="base,nginx").expect_success()
        self.second_run = self.play(self.authority, [NAME]).expect_success()

    @property
    def other_authority(self) -> Authority:
        return next(each for each in self._authorities if each is not self.authority)

    def play(
        self, authority: Authority, names: list[str], *words: str, roles: str = "nginx"
    ) -> Play:
        trusted = [*ca_certificates(), *(each.certificate for each in self._authorities)]
        play = self._controller.play(
            "site", f"--tags={roles}", *words,
            stack_server_names=names,
            base_ca_certificates=[str(path) for path in trusted],
            nginx_tls="acme", nginx_acme_email="ada@example.com",
            nginx_acme_server=authority.directory,
        )  # fmt: skip
        if play.status == 0:
            self.authority = authority
        return play

    def certificate(self, name: str) -> str:
        """The serial number of the one it shows for this name, if the authority has issued it."""
        trust = ssl.create_default_context(cadata=self.authority.root)
        with (
            socket.create_connection((self.host.address, 443), timeout=PATIENCE) as connection,
            trust.wrap_socket(connection, server_hostname=name) as tls,
        ):
            return tls.getpeercert()["serialNumber"]


@pytest.fixture(scope="module")
def host(laboratory):
    (host,) = laboratory.boot("acme")
    return host


@pytest.fixture(scope="module")
def internet(laboratory, host):
    """Where every name leads to the host."""
    with Names(laboratory.network, host.address).served() as names:
        yield names


@pytest.fixture(scope="module")
def proxy(laboratory, host, internet, tmp_path_factory):
    folder = tmp_path_factory.mktemp("acme")
    controller = Controller(
        folder, [host], laboratory.network, address=host.address, **everything_on("acme")
    )
    with (
        Authority(laboratory.network, folder, 0).open(internet) as one,
        Authority(laboratory.network, folder, 1).open(internet) as other,
    ):
        yield Proxy(host, controller, [one, other])


def test_the_second_run_asks_for_nothing(proxy):
    assert proxy.second_run.changed == {"acme": 0}


def test_the_authority_is_asked_once_the_site_serves(proxy):
    """It may refuse, and then the play ends."""
    tasks = proxy.play(proxy.authority, [NAME], "--list-tasks", roles="all").output
    assert 0 < tasks.rindex("supervisor : ") < tasks.index("the authority has issued")


def test_an_authority_has_issued_the_certificate(proxy):
    assert proxy.certificate(NAME)


def test_a_dry_run_tells_that_the_authority_would_be_asked(proxy):
    before = proxy.certificate(NAME)
    play = proxy.play(proxy.authority, [NAME, UNHEARD_OF], "--check").expect_success()
    assert re.search(r"TASK \[nginx : Ensure the authority has issued .*\]\W+changed", play.output)
    assert proxy.certificate(NAME) == before


def test_another_authority_issues_one_with_a_further_name(proxy):
    """As after a try with the one for staging."""
    proxy.play(proxy.other_authority, [NAME, FURTHER]).expect_success()
    assert proxy.certificate(FURTHER) == proxy.certificate(NAME)


def test_a_name_that_leads_elsewhere_leaves_the_certificate_in_force(proxy, internet):
    before = proxy.certificate(NAME)
    internet.send_elsewhere(ELSEWHERE, "127.0.0.1")
    play = proxy.play(proxy.authority, [NAME, ELSEWHERE])
    assert play.status != 0
    assert ELSEWHERE in play.output
    assert proxy.certificate(NAME) == before


def test_a_renewed_certificate_is_in_force_without_a_play(proxy):
    """As Debian's timer renews it, but before it is due."""
    before = proxy.certificate(NAME)
    assert proxy.host.ssh("systemctl is-enabled certbot.timer") == "enabled\n"
    proxy.host.ssh("certbot renew --quiet --force-renewal --no-random-sleep-on-renew")
    wait_for(lambda: proxy.certificate(NAME) != before, "the new certificate")
