"""What cannot work is refused by name, before a host is touched."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import roles

pytestmark = pytest.mark.timeout(600)

#: What stands in the inventory of a host that is refused, and what the refusal must say.
REFUSED = {
    "an-international-name": (
        {"stack_server_names": ["bücher.example"]},
        ["bücher.example", "punycode"],
    ),
    "a-japanese-name": (
        {"stack_server_names": ["例え.テスト"]},
        ["punycode: 例え.テスト is xn--r8jz45g.xn--zckzah."],
    ),
    "a-name-that-python-encodes-otherwise": (
        {"stack_server_names": ["straße.example"]},
        ["straße.example", "punycode, as in"],
    ),
    "a-name-with-a-port": (
        {"stack_server_names": ["chat.example.com:8443"]},
        ["chat.example.com:8443", "stack_server_names"],
    ),
    "a-url": ({"stack_server_names": ["https://chat.example.com"]}, ["https://chat.example.com"]),
    "two-names-in-one": ({"stack_server_names": ["a.example b.example"]}, ["a.example b.example"]),
    "a-wildcard": ({"stack_server_names": ["*.example.com"]}, ["*.example.com", "wildcard"]),
    "an-ipv6-name": ({"stack_server_names": ["2001:db8::1"]}, ["2001:db8::1", "IPv4"]),
    "an-end-of-line": ({"stack_server_names": ["a.example\n"]}, ["neither a host name"]),
    "a-text-of-names": ({"stack_server_names": "chat.example.com"}, ["write a list"]),
    "a-zone": ({"private_address": "fe80::5%eth0"}, ["fe80::5%eth0", "private_address"]),
    "a-dns-address": ({"private_address": "db.internal"}, ["db.internal", "private_address"]),
    "a-base-without-00": ({"stack_http_port_base": 8101}, ["stack_http_port_base", "8101", "00"]),
    "the-same-ports": ({"stack_websocket_port_base": 8100}, ["stack_websocket_port_base"]),
    "no-such-ports": ({"stack_http_port_base": 70000}, ["65400", "70000"]),
    "ports-of-root": ({"stack_websocket_port_base": 800}, ["1100", "800"]),
    "ports-of-its-own": ({"stack_http_ports": [8101, 8103]}, ["stack_http_ports", "follows"]),
    "ports-of-nobody": ({"app_http_ports": [9101, 9102]}, ["app_http_ports"]),
    "a-list-of-instances": ({"stack_instances": [1, 2, 3]}, ["stack_instances"]),
    "one-instance": ({"stack_http_instances": 1}, ["stack_http_instances is 1", "2 at least"]),
    "a-hundred": ({"stack_websocket_instances": 100}, ["stack_websocket_instances is 100"]),
    "no-releases": ({"app_releases_kept": 0}, ["app_releases_kept is 0", "2 at least"]),
    "no-time-to-be-ready": ({"app_readiness_timeout": 0}, ["app_readiness_timeout is 0"]),
    "a-negative-time": ({"app_hsts_seconds": -1}, ["app_hsts_seconds is -1"]),
    "no-such-port": ({"nginx_public_https_port": 84430}, ["nginx_public_https_port is 84430"]),
    "no-pool": ({"stack_database_pool": -1}, ["stack_database_pool is -1"]),
    "few-connections": ({"postgresql_max_connections": 100}, ["is 100", "a pooler"]),
    "a-long-name": ({"stack_site": "a" * 31}, ["stack_site is aaa", "30"]),
    "a-name-in-capitals": ({"stack_site": "Shop"}, ["stack_site is Shop", "lower-case"]),
    "a-word-of-nftables": ({"stack_site": "table"}, ["stack_site is table", "nftables"]),
    "a-name-of-a-port": ({"base_open_ports": ["smtp"]}, ["smtp in base_open_ports", "53/udp"]),
    "a-name-to-come-from": (
        {"base_ssh_sources": ["10.0.0.0/8", "office.example.com"]},
        ["office.example.com in base_ssh_sources", "a network"],
    ),
    "a-rule-for-a-name": (
        {"base_firewall_rules": [{"name": "metrics", "ports": [9100], "sources": ["monitor"]}]},
        ["monitor in base_firewall_rules"],
    ),
    "a-secret-of-two-lines": (
        {"vault_redis_password": "a\nb"},
        ["vault_redis_password", "one line"],
    ),
    "no-key": ({"base_admins": [{"name": "ada"}]}, ["base_admins", "ada"]),
    "4am": ({"base_reboot_time": "4am"}, ["base_reboot_time is 4am", "04:00"]),
    # What YAML makes of 14:30 without quotes.
    "seconds": ({"base_reboot_time": 870}, ["base_reboot_time is 870", "in quotes"]),
    "25-o-clock": ({"base_reboot_time": "25:00"}, ["base_reboot_time is 25:00"]),
    "a-list": ({"app_environment": {"PEERS": ["a", "b"]}}, ["PEERS", "with commas"]),
    "a-none": ({"app_environment": {"PEERS": None}}, ["PEERS", "empty"]),
    "a-dictionary": ({"app_environment": {"PEERS": {"a": 1}}}, ["PEERS"]),
    "uploads-of-each-host": ({"app_media_url": "/media/"}, ["app_media_url is /media/", "share"]),
    "a-second-nginx": (
        {"app_programs": {"nginx": {"command": "nginx"}}},
        ["nginx in app_programs"],
    ),
    "no-command": (
        {"app_programs": {"celery": {"count": 2}}},
        ["celery in app_programs", "command"],
    ),
    "an-option-of-another": (
        {"app_programs": {"celery": {"command": "celery", "numprocs": 2}}},
        ["celery in app_programs", "count"],
    ),
    "no-such-group": (
        {"app_programs": {"celery": {"command": "celery", "hosts": "workers"}}},
        ["celery in app_programs", "hosts"],
    ),
    "much-memory": (
        {"app_programs": {"celery": {"command": "celery", "memory": "much"}}},
        ["celery in app_programs", "512M"],
    ),
    "no-time-of-day": (
        {"app_timers": {"tidy": {"command": "manage tidy"}}},
        ["tidy in app_timers"],
    ),
    "no-such-hook": ({"app_hooks": {"before_lunch": "a.yml"}}, ["before_lunch", "after_finish"]),
    "no-such-tasks": ({"app_hooks": {"after_build": "a.yml"}}, ["after_build", "no such file"]),
    "no-wheels": ({"app_wheels": "/nowhere"}, ["app_wheels", "/nowhere"]),
    "out-of-the-repository": ({"app_path": "../shop"}, ["app_path is ../shop"]),
    "an-absolute-folder": ({"app_static_root": "/srv/static"}, ["app_static_root is /srv/static"]),
    "a-module": ({"app_wsgi_http": "shop.wsgi"}, ["app_wsgi_http is shop.wsgi", "module:name"]),
    "no-slash-at-the-end": ({"app_static_url": "/assets"}, ["app_static_url is /assets"]),
    "no-place-for-backups": (
        {"backup_repository": "backups"},
        ["backup_repository is backups", "s3:https://"],
    ),
    "sftp-without-a-key": (
        {"backup_repository": "sftp:keeper@10.0.0.9:stack"},
        ["backup_ssh_key", "ssh-keyscan"],
    ),
    "a-fortnight": ({"backup_keep": {"fortnightly": 2}}, ["fortnightly in backup_keep", "weekly"]),
    "a-folder-somewhere": ({"backup_paths": ["files"]}, ["files in backup_paths"]),
    "more-than-all": ({"backup_check_percent": 101}, ["backup_check_percent is 101"]),
    "a-database-of-another-make": (
        {"backup_repository": "/mnt/backups", "app_database_url": "mysql://a:b@db/name"},
        ["mysql://", "backup_database_url"],
    ),
    "two-of-one-name": (
        {
            "backup_repository": "/mnt/backups",
            "app_timers": {"backup": {"command": "manage dump", "on_calendar": "daily"}},
        },
        ["backup in app_timers"],
    ),
    "not-a-name": ({"app_environment": {"MY-PEERS": "a"}}, ["MY-PEERS", "underscores"]),
}
FAMILIES = (socket.AF_INET, socket.AF_INET6)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
ACCEPTED = {
    "nothing-of-its-own": {},
    "all-of-it": {
        "stack_server_names": [
            "xn--bcher-kva.example",
            "Chat.Example.com",
            "localhost",
            "10.1.2.3",
        ],
        "private_address": "10.255.0.199",
        "stack_http_port_base": 9100,
        "stack_websocket_port_base": 9200,
        "stack_http_instances": 99,
        "stack_websocket_instances": 10,
        "app_releases_kept": 2,
        "base_reboot_time": "04:00",
        "base_open_ports": [9100, "53/udp", "8000-8010/tcp"],
        "base_ssh_sources": ["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"],
        "base_admins": [{"name": "ada", "state": "absent"}, {"name": "bob", "key": KEY}],
        "stack_site": "my-site2",
        "backup_repository": "s3:https://s3.example.com/bucket/site",
        "backup_keep": {"daily": 14},
        "app_environment": {"PEERS": "a,b", "EMPTY": "", "SIZE": 3, "RATE": 0.5, "DEBUG": False},
    },
    "a-variable-made-of-a-role-s": {
        "app_environment": {"BROKER": "{{ app_redis_url }}", "ROOT": "{{ app_media_root }}"},
        "app_programs": {"worker": {"command": "celery --uid {{ app_server_names | first }}"}},
        "stack_redis_port": "{{ postgresql_port | default(6390) }}",
    },
    "an-ipv6-address": {"private_address": "fd00::5"},
    "a-pooler": {
        "postgresql_max_connections": 100,
        "app_database_url": "postgres://a:b@10.0.0.1/a",
    },
    "as-extra-variables-are": {"app_releases_kept": "5", "base_reboot_time": "now"},
}


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """What Ansible says of each host: one run for all of them."""
    folder = tmp_path_factory.mktemp("preflight")
    hosts = {name: variables for name, (variables, _) in REFUSED.items()} | ACCEPTED
    own = {
        name: {
            "private_address": f"10.0.0.{number}",
            "stack_server_names": ["a.example"],
            "stack_cores": 2,
        }
        | values
        for number, (name, values) in enumerate(hosts.items(), 1)
    }
    groups = {name: {"hosts": own} for name in ("proxy", "web", "websocket", "redis", "postgresql")}
    elsewhere = {"in-no-group": {"stack_server_names": ["a.example"]}}
    said = check(folder, {"all": {"hosts": elsewhere, "children": groups}})
    assert [path.name for path in folder.glob("*password*")] == [], "a secret was made"
    return said


def check(folder, inventory):
    """What Ansible says of it."""
    (folder / "hosts.json").write_text(json.dumps(inventory))
    play = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", folder / "hosts.json",
         Path(__file__).with_name("preflight.yml"), "-e", f"stack_secrets={folder}"],
        check=False, capture_output=True, text=True, cwd=roles.ROLES.parent,
        env=os.environ | {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(folder)},
    )  # fmt: skip
    assert "PLAY RECAP" in play.stdout, play.stdout + play.stderr
    return play.stdout + play.stderr


def test_two_hosts_for_redis_are_refused(tmp_path):
    one = {"one": {"private_address": "10.0.0.1"}}
    groups = {key: {"hosts": one} for key in ("proxy", "web", "websocket", "postgresql")}
    groups["redis"] = {"hosts": one | {"two": {"private_address": "10.0.0.2"}}}
    settings = {"stack_server_names": ["a.example"], "stack_cores": 2}
    said = check(tmp_path, {"all": {"vars": settings, "children": groups}})
    assert "The group redis has two hosts: one, two." in re.sub(r"\s+", " ", said)


@pytest.mark.parametrize("host", REFUSED)
def test_what_cannot_work_is_refused_by_name(output, host):
    refusals = re.findall(
        rf"^(?:fatal|failed): \[{host}\].*?(?=^\w+: \[|^$)", output, re.MULTILINE | re.DOTALL
    )
    said = re.sub(r"\s+", " ", " ".join(refusals))
    for word in REFUSED[host][1]:
        assert word in said


@pytest.mark.parametrize("host", [*ACCEPTED, "in-no-group"])
def test_what_works_is_not_refused(output, host):
    assert re.search(rf"^{host} .*unreachable=0 +failed=0", output, re.MULTILINE)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_who_listens_is_known_by_an_address_as_the_inventory_has_it(address):
    with socket.create_server((address, 0), family=FAMILIES[":" in address]) as listener:
        look = [sys.executable, roles.ROLES / "preflight/files/look.py", "stack"]
        found = json.loads(subprocess.run(look, check=True, capture_output=True).stdout)
        port = listener.getsockname()[1]
    (entry,) = [each for each in found["listeners"] if each["port"] == port]
    assert (entry["address"], entry["is_local"]) == (address, True)
