"""What the shipped inventories make of the templates is what nginx accepts."""

import importlib
import itertools
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import roles
import yaml

from django_websocket.pubsub.brokers.redis.address import Address
from support.certificate import self_signed
from support.gunicorn import read_settings

INVENTORIES = roles.ROLES.parent / "inventories"
SHIPPED = roles.ROLES.parents[1] / "deploy" / "nginx"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="nginx reads its logs' folder and binds port 80 only as root"
)


def render(inventory, folder, cores=2, **variables):
    """Write what the inventory makes of the templates into the folder. No host has been looked at,
    so all of them have as many cores; with None the inventory says how many."""
    variables |= {"stack_cores": cores} if cores else {}
    self_signed(folder / "self-signed.pem", folder / "self-signed.key", "test")
    play = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", INVENTORIES / inventory,
         Path(__file__).with_name("render.yml"), "-e", f"folder={folder}",
         "-e", f"roles={roles.ROLES}", "-e", "ansible_connection=local",
         "-e", json.dumps({"nginx_version": nginx_version()} | variables)],
        check=False, capture_output=True, text=True, cwd=roles.ROLES.parent,
    )  # fmt: skip
    assert play.returncode == 0, play.stdout + play.stderr
    return folder


def nginx_version():
    answer = subprocess.run(["/usr/sbin/nginx", "-v"], check=True, capture_output=True, text=True)
    return answer.stderr.strip().rpartition("/")[2]


@pytest.fixture(scope="module", params=sorted(path.name for path in INVENTORIES.iterdir()))
def rendered(request, tmp_path_factory):
    """The folder with what the inventory makes of the templates."""
    return render(request.param, tmp_path_factory.mktemp(request.param))


def test_nginx_accepts_the_files_of_an_inventory(rendered):
    folders = [path for path in rendered.iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("local"), dirs_exist_ok=True)
        answer = subprocess.run(
            ["/usr/sbin/nginx", "-t", "-q", "-e", "stderr", "-c", folder / "nginx.conf"],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr


def test_the_gunicorns_trust_the_proxies_alone(rendered):
    proxies = {path.name for path in rendered.iterdir() if path.is_dir()}
    files = list(rendered.glob("*.environment"))
    assert files
    for file in files:
        lines = dict(line.partition("=")[::2] for line in file.read_text().splitlines())
        trusted = set(lines["FORWARDED_ALLOW_IPS"].split(","))
        assert trusted >= {"127.0.0.1", "::1"}
        assert len(trusted - {"127.0.0.1", "::1"}) == (0 if len(files) == 1 else len(proxies))


@pytest.mark.parametrize(("hosts", "pool"), [(1, 8), (4, 20), (12, 8)])
def test_postgresql_takes_as_many_connections_as_all_gunicorns_open(tmp_path, hosts, pool):
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump(cluster(hosts)))
    render(inventory, tmp_path, stack_database_pool=pool)
    setting = (tmp_path / "postgresql.conf").read_text()
    allowed = int(re.search(r"^max_connections = (\d+)$", setting, re.MULTILINE)[1])
    upstreams = next(tmp_path.glob("*/stack/local/http.conf")).read_text()
    gunicorns = len(re.findall(r"^    server \S+ max_fails", upstreams, re.MULTILINE))
    assert gunicorns == 4 * hosts
    environments = list(tmp_path.glob("*.environment"))
    assert len(environments) == hosts
    for file in environments:
        assert f"\nDATABASE_POOL_SIZE={pool}\n" in file.read_text()
    # A release is tried on each host while all gunicorns serve; three are kept for superusers.
    assert allowed >= pool * (gunicorns + hosts) + 3
    assert allowed >= 200


def cluster(hosts):
    """An inventory in which every host carries gunicorns of both kinds."""
    all_of_them = {f"host{number}": {"private_address": f"10.0.0.{number}"}
                   for number in range(1, hosts + 1)}  # fmt: skip
    first = {"host1": all_of_them["host1"]}
    groups = {"proxy": first, "web": all_of_them, "websocket": all_of_them, "redis": first,
              "postgresql": first}  # fmt: skip
    return {
        "all": {
            "vars": {"stack_server_names": ["a.example"]},
            "children": {name: {"hosts": members} for name, members in groups.items()},
        }
    }


def test_the_site_asks_the_sentinels_where_redis_is_on_three_hosts(tmp_path):
    hosts = cluster(3)
    group = hosts["all"]["children"]["redis"]["hosts"] = {f"host{n}": {} for n in (2, 3)}
    group["data"] = {"private_address": "fd00::4"}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump(hosts))
    password = "@/:#?%2F+ &é"
    render(inventory, tmp_path, vault_redis_password=password, stack_site="shop")
    settings = lines(tmp_path / "host1.environment")
    (url,) = shlex.split(settings["REDIS_URL"])
    address = Address(url)
    hosts = {"10.0.0.2", "10.0.0.3", "fd00::4"}
    assert set(address.hosts) == {(host, 26379) for host in hosts}
    assert (address.service, address.wait) == ("shop", 1)
    login = {"username": "shop", "password": password}
    assert login.items() <= address.options.items()
    assert login.items() <= address.sentinel_options.items()
    # As kombu reads it: one URL a Sentinel.
    queues = [urlsplit(each) for each in shlex.split(settings["QUEUE_URL"])[0].split(";")]
    assert {(each.hostname, each.port, each.path) for each in queues} == {
        (host, 26379, "/1") for host in hosts
    }
    assert {unquote(each.password) for each in queues} == {password}


def test_passwords_of_any_characters_reach_django_and_redis(tmp_path):
    secrets = {
        "vault_django_secret_key": "$key's \"#%: {instance} \\ `id`",
        "vault_postgresql_password": "a@b/c:d#e?f%20g+h i'j\"k$HOME`l\\mé[]{{",
        "vault_redis_password": "@/:#?%2F+ '\"$(id)&é",
    }
    # Ansible shall take them as they are.
    unsafe = {name: {"__ansible_unsafe": secret} for name, secret in secrets.items()}
    render("single", tmp_path, **unsafe)
    (file,) = tmp_path.glob("*.environment")
    (tmp_path / "state").mkdir()
    script = """
import json, redis
from django.conf import settings
broker = redis.Redis.from_url(settings.REDIS_URL).connection_pool.connection_kwargs
print(json.dumps([settings.SECRET_KEY, settings.DATABASES["default"]["PASSWORD"],
                  broker["password"]]))
"""
    answer = subprocess.run(
        ["/bin/sh", "-c", 'set -a; . "$1"; STATE_DIR=$2; exec "$3" -c "$4"', "sh",
         file, tmp_path / "state", sys.executable, script],
        check=False, capture_output=True, text=True, cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(roles.ROLES.parents[1] / "app"),
             "DJANGO_SETTINGS_MODULE": "project.settings"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == list(secrets.values())


def test_a_host_runs_a_gunicorn_a_core_each_on_a_port_of_its_own(tmp_path):
    inventory = tmp_path / "hosts.yml"
    instances = {1: 2, 4: 4, 12: 12, 128: 99}
    hosts = cluster(len(instances))
    for number, cores in enumerate(instances, 1):
        hosts["all"]["children"]["web"]["hosts"][f"host{number}"]["stack_cores"] = cores
    hosts["all"]["children"]["web"]["hosts"]["host4"]["private_address"] = "fd00::4"
    addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "[fd00::4]"]
    inventory.write_text(yaml.safe_dump(hosts))
    render(inventory, tmp_path, cores=None)
    upstreams = next(tmp_path.glob("*/stack/local/http.conf")).read_text()
    for kind, base in (("http", 8100), ("websocket", 8200)):
        expected = [
            [f"{address}:{base + number}" for number in range(1, count + 1)]
            for address, count in zip(addresses, instances.values(), strict=True)
        ]
        block = re.search(rf"upstream stack_{kind} {{(.*?)}}", upstreams, re.DOTALL)[1]
        assert re.findall(r"server (\S+)", block) == list(itertools.chain(*expected))
        for host, listens in enumerate(expected, 1):
            assert [
                gunicorn(tmp_path / f"host{host}.environment", kind, number)["bind"]
                for number in (1, len(listens))
            ] == [listens[0], listens[-1]]


def gunicorn(environment, kind, instance=1):
    """What the shipped configuration of the gunicorn is with the settings of a host."""
    shell = 'set -a; . "$1"; INSTANCE=$2; shift 2; exec "$0" "$@"'
    command = ["/bin/sh", "-c", shell, sys.executable, str(environment), str(instance)]
    return read_settings(command, kind)


def lines(file):
    """The variables of an environment file."""
    return dict(
        line.split("=", 1) for line in file.read_text().splitlines() if re.match(r"\w+=", line)
    )


def value(directive, text):
    return int(re.search(rf"^\s*{directive} =? ?(\d+)", text, re.MULTILINE)[1])


#: The kernel's own bound on files of a process, fs.nr_open.
NR_OPEN = 1_048_576
#: What the role base sees to in the kernel.
KERNEL = yaml.safe_load((roles.ROLES / "base" / "vars" / "main.yml").read_text())


@pytest.mark.parametrize("cores", [1, 4, 32])
def test_every_size_of_a_host_fits_the_others(tmp_path, cores):
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump(cluster(1)))
    render(inventory, tmp_path, cores)
    nginx = (tmp_path / "host1" / "stack" / "local" / "main.conf").read_text()
    upstreams = (tmp_path / "host1" / "stack" / "local" / "http.conf").read_text()
    supervisor = lines(tmp_path / "host1.supervisor")
    environment = tmp_path / "host1.environment"

    programs = {}
    for kind in ("http", "websocket"):
        block = re.search(rf"upstream stack_{kind} {{(.*?)}}", upstreams, re.DOTALL)[1]
        ports = [int(port) for port in re.findall(r"server \S+:(\d+) ", block)]
        programs[kind] = len(ports)
        assert int(supervisor[f"{kind.upper()}_INSTANCES"]) == len(set(ports)) == max(2, cores)
        assert 1024 < min(ports) < max(ports) < KERNEL["base_local_ports"][0]
    pages, sockets = gunicorn(environment, "http"), gunicorn(environment, "websocket")
    assert (
        max(pages["backlog"], sockets["backlog"])
        <= KERNEL["base_kernel_least"]["net.core.somaxconn"]
    )
    assert sockets["backlog"] == sockets["worker_connections"]
    # Each socket may have two files, and a local port of nginx for each gunicorn.
    assert 2 * sockets["worker_connections"] + 1000 < int(supervisor["OPEN_FILES"]) < NR_OPEN
    assert (
        sockets["worker_connections"]
        < KERNEL["base_local_ports"][1] - KERNEL["base_local_ports"][0]
    )

    behind = programs["websocket"] * sockets["worker_connections"]
    processes = value("worker_processes", nginx)
    connections = value("worker_connections", nginx)
    assert processes == cores
    assert processes * connections >= 2 * behind + 5000
    assert connections >= min(2, processes) * 2 * behind / processes + 5000
    assert connections + 1000 < value("worker_rlimit_nofile", nginx) < NR_OPEN

    pool = int(lines(environment)["DATABASE_POOL_SIZE"])
    assert 4 <= pool <= pages["threads"]
    allowed = value("max_connections", (tmp_path / "postgresql.conf").read_text())
    assert allowed >= pool * (sum(programs.values()) + 1) + 3


def test_what_is_there_for_people_is_what_ansible_writes(tmp_path):
    """deploy/host/, for the host of a site whose Redis and PostgreSQL know it by its user."""
    people = SHIPPED.parent / "host"
    urls = lines(people / "environment")
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump(cluster(1)))
    render(
        inventory, tmp_path,
        stack_server_names=["chat.example.com"],
        app_database_url=urls["DATABASE_URL"],
        app_redis_url=urls["REDIS_URL"],
        nginx_http2=False,
    )  # fmt: skip
    site, settings = tmp_path / "host1.supervisor", lines(tmp_path / "host1.environment")
    assert lines(people / "site.env") == lines(site)
    assert lines(people / "environment") == {
        name: "".join(shlex.split(value))
        for name, value in settings.items()
        if name not in ("DJANGO_SECRET_KEY", "QUEUE_URL")
    }
    for path in (people / "nginx").glob("*.conf"):
        written = tmp_path / "host1" / "stack" / "local" / path.name
        elsewhere = {"/etc/nginx/stack.d/": "/etc/nginx/stack/"}
        elsewhere |= {f"{tmp_path}/self-signed.pem": "/etc/ssl/certs/stack.pem"}
        elsewhere |= {f"{tmp_path}/self-signed.key": "/etc/ssl/private/stack.key"}
        found = directives(path)
        if path.name == "http.conf":  # in a file of its own, as another site may have it
            found += directives(people / "nginx" / "conf.d" / "stack-unknown-host.conf")
        assert sorted(found) == sorted(directives(written, elsewhere)), path.name
    kernel = (people / "sysctl.conf").read_text()
    for name, least in KERNEL["base_kernel_least"].items():
        assert value(re.escape(name), kernel) == least
    first, last = KERNEL["base_local_ports"]
    assert f"ip_local_port_range = {first} {last}\n" in kernel


def directives(path, replaced=()):
    """The lines of one of nginx's files that say something."""
    text = path.read_text()
    for old in replaced:
        text = text.replace(old, replaced[old])
    return [line.strip() for line in text.splitlines() if not re.match(r"\s*(#|$)", line)]


@pytest.mark.parametrize("cores", [1, 4, 32])
def test_a_checkout_has_the_sizes_of_a_host(tmp_path_factory, monkeypatch, cores):
    folder = tmp_path_factory.mktemp("at")  # the path of a socket may not be long
    monkeypatch.syspath_prepend(str(roles.ROLES.parents[1] / "deploy" / "local"))
    state = importlib.import_module("state")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (1024, resource.RLIM_INFINITY))
    checkout = state.State(roles.ROLES.parents[1], folder / "state")
    checkout.make()
    checkout.stage_nginx(8080)
    environment = checkout.environment(folder / "venv")
    nginx = (checkout.path / "nginx" / "stack" / "local" / "main.conf").read_text()
    for kind in ("http", "websocket"):
        sockets = [path.name for path in checkout.gunicorn_sockets() if kind in path.name]
        assert len(set(sockets)) == int(environment[f"{kind.upper()}_INSTANCES"]) == max(2, cores)
    assert value("worker_processes", nginx) == cores
    assert cores * value("worker_connections", nginx) >= 2 * 10_000 * max(2, cores) + 5000
    assert value("worker_connections", nginx) + 1000 < value("worker_rlimit_nofile", nginx)
    assert int(environment["OPEN_FILES"]) > 2 * 10_000 + 1000


def test_managed_services_take_the_place_of_groups(tmp_path):
    hosts = cluster(2)
    for group in ("redis", "postgresql"):
        del hosts["all"]["children"][group]
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump(hosts))
    urls = {
        "REDIS_URL": "rediss://a:b@redis.example:6380/0",
        "DATABASE_URL": "postgres://a:b@db.example:5432/c?sslmode=require",
        "CACHE_URL": "rediss://a:b@cache.example:6380/0",
    }
    render(inventory, tmp_path, **{f"app_{name.lower()}": url for name, url in urls.items()})
    for number in (1, 2):
        settings = lines(tmp_path / f"host{number}.environment")
        assert {name: shlex.split(settings[name])[0] for name in urls} == urls
