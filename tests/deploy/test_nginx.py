"""nginx beside other sites, and alone: what it serves before, during and after a play."""

import re
import ssl

import pytest
from controller import Controller
from front import HANDSHAKE, Front

from support.server import wait_for

pytestmark = [pytest.mark.timeout(3000), pytest.mark.scenario]

NAME, FURTHER, BLOG, SHOP = (f"{name}.example.com" for name in ("chat", "www.chat", "blog", "shop"))
INSTALL = (
    "export http_proxy={proxy} https_proxy={proxy} DEBIAN_FRONTEND=noninteractive;"
    " apt-get -qq update"
    " && apt-get -qq install --no-install-recommends nginx openssl > /dev/null 2>&1"
)
#: Another site, as an administrator of Debian adds one, who has also changed nginx.conf.
ADD_THE_BLOG = f"""set -e
cat > /etc/nginx/sites-available/blog <<'END'
upstream blog {{ server 127.0.0.1:9; }}
server {{
    listen 80;
    listen [::]:80;
    server_name {BLOG};
    root /srv/blog;
}}
END
ln -s ../sites-available/blog /etc/nginx/sites-enabled/
rm /etc/nginx/sites-enabled/default
sed -i 's/worker_connections 768/worker_connections 900/' /etc/nginx/nginx.conf
mkdir /srv/blog && echo the blog > /srv/blog/index.html
systemctl reload nginx
"""


class Fronts:
    """Two hosts: ``shared`` serves a blog as well, ``alone`` had nothing but Debian's own page."""

    def __init__(self, controller, alone, shared):
        self.controller = controller
        self.alone, self.shared = alone, shared

    def play(self, *words, names=(NAME, FURTHER), **variables):
        return self.controller.play(
            "site", "--tags=nginx", *words, stack_server_names=list(names), **variables
        )


@pytest.fixture(scope="module")
def fronts(laboratory, tmp_path_factory):
    hosts = laboratory.boot("alone", "shared")
    controller = Controller(
        tmp_path_factory.mktemp("nginx"), hosts, laboratory.network, address=NAME,
        **{group: ["alone", "shared"] for group in ("proxy", "web", "websocket")},
        redis=["alone"], postgresql=["alone"],
    )  # fmt: skip
    fronts = Fronts(controller, *(Front(host) for host in hosts))
    for host in hosts:
        host.ssh(INSTALL.format(proxy=laboratory.network.proxy), timeout=600)
    fronts.shared.ssh(ADD_THE_BLOG)
    return fronts


@pytest.fixture(scope="module")
def first(fronts):
    """What the play said that has added the site."""
    return fronts.play().expect_success()


@pytest.fixture(scope="module", autouse=True)
def second(fronts, first):
    return fronts.play().expect_success()


def serves_the_site(front, name=NAME):
    """No gunicorn runs on these hosts: nginx says so, with the site's page."""
    status, text, _ = front.get(name)
    return status == 502 and "Back in a moment" in text


def serves_the_blog(front, name=BLOG):
    return front.get(name, port=80)[:2] == (200, "the blog\n")


def said(play):
    """Ansible breaks long lines."""
    return " ".join(play.output.split())


def test_the_second_run_changes_nothing(second):
    assert second.changed == {"alone": 0, "shared": 0}


def test_the_other_site_is_served_as_before(fronts):
    assert serves_the_site(fronts.shared)
    assert serves_the_blog(fronts.shared)
    assert "worker_connections 900;" in fronts.shared.ssh("cat /etc/nginx/nginx.conf")


def test_names_that_nobody_has_are_still_the_other_sites(fronts):
    assert serves_the_blog(fronts.shared, "old-name-of-the-blog.example.com")


def test_an_nginx_conf_with_too_little_is_said_and_stays(first):
    assert re.search(r"has worker_connections 900 \(the site needs \d+\)", said(first))


def test_a_host_with_nothing_else_gets_the_sizes_and_a_backup(fronts):
    assert re.search(r"worker_connections \d{5};", fronts.alone.ssh("nginx -T 2>&1"))
    backup = fronts.alone.ssh("cat /etc/nginx/nginx.conf.before-stack")
    assert "worker_connections 768;" in backup


@pytest.mark.parametrize("who", ["alone", "shared"])
@pytest.mark.parametrize("name", [None, "scanner.example.com"])
def test_a_scanner_gets_no_certificate(fronts, who, name):
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        getattr(fronts, who).certificate(name)


def test_pages_come_over_http2_and_sockets_over_http1(fronts):
    with fronts.alone.tls(NAME, "h2", "http/1.1") as browser:
        assert browser.selected_alpn_protocol() == "h2"
    assert fronts.alone.get(NAME, headers=HANDSHAKE)[0] == 502


def test_what_would_collide_is_refused_by_name_before_anything_changes(fronts):
    play = fronts.play(names=[NAME, BLOG])
    assert play.status != 0
    assert f"/etc/nginx/sites-enabled/blog has a server with the name {BLOG}" in said(play)
    assert play.changed == {"alone": 0, "shared": 0}
    assert serves_the_blog(fronts.shared)


def test_what_nginx_refuses_leaves_the_old_in_force(fronts):
    play = fronts.play(nginx_max_body_size="ten")
    assert play.status != 0
    assert '"client_max_body_size" directive invalid value' in said(play)
    for front in (fronts.alone, fronts.shared):
        front.ssh("nginx -t -q && systemctl restart nginx")
        assert serves_the_site(front)


def test_a_file_that_left_the_checkout_leaves_the_host(fronts):
    fronts.controller.write("deploy/nginx/stack/snippets/passing.conf", "# not for long\n")
    fronts.play("--limit=shared").expect_success()
    assert "passing.conf" in fronts.shared.ssh("ls /etc/nginx/stack/snippets")
    (fronts.controller.checkout / "deploy/nginx/stack/snippets/passing.conf").unlink()
    fronts.play("--limit=shared").expect_success()
    assert "passing.conf" not in fronts.shared.ssh("ls /etc/nginx/stack/snippets")
    assert serves_the_blog(fronts.shared)


def test_two_sites_work_side_by_side(fronts):
    before = fronts.alone.ssh("readlink /etc/nginx/stack; cat /etc/nginx/nginx.conf")
    variables = {"stack_site": "shop", "stack_http_port_base": 8300, "nginx_max_body_size": "20m"}
    play = fronts.play("--limit=alone", names=[SHOP], **variables).expect_success()
    assert play.changed["alone"] > 0
    assert fronts.alone.ssh("readlink /etc/nginx/stack; cat /etc/nginx/nginx.conf") == before
    assert serves_the_site(fronts.alone, SHOP)
    assert serves_the_site(fronts.alone)
    assert fronts.alone.certificate(SHOP) != fronts.alone.certificate(NAME)
    again = fronts.play("--limit=alone", names=[SHOP], **variables).expect_success()
    assert again.changed == {"alone": 0}


def test_other_names_lead_to_the_first(fronts):
    fronts.play("--limit=shared", nginx_redirect_names=True).expect_success()
    for port in (80, 443):
        status, _, headers = fronts.shared.get(FURTHER, "/room/?a=b", port=port)
        assert (status, headers["Location"]) == (308, f"https://{NAME}/room/?a=b")
    assert fronts.shared.get(FURTHER, headers=HANDSHAKE)[0] == 403
    assert serves_the_site(fronts.shared)


def test_closed_for_maintenance_and_open_again(fronts):
    fronts.shared.ssh("stack-nginx maintenance on")
    status, text, headers = fronts.shared.get(NAME)
    assert (status, headers["Retry-After"]) == (503, "60")
    assert "maintenance" in text
    assert fronts.shared.get(NAME, headers=HANDSHAKE)[0] == 503
    assert fronts.shared.ssh(f"stack-nginx ask {NAME} /") == "502\n", "the host itself sees it"
    assert serves_the_blog(fronts.shared)
    fronts.shared.ssh("stack-nginx maintenance off")
    assert serves_the_site(fronts.shared)


def test_a_certificate_that_ends_soon_is_made_anew_and_shown(fronts):
    front = fronts.shared
    front.ssh(
        "cd /etc/nginx/stack.d/tls && openssl req -x509 -config self-signed-*.cnf"
        " -key self-signed-*.key -days 5 -out self-signed-*.pem && systemctl reload nginx"
    )
    wait_for(lambda: "notAfter" in end_of(front), "a certificate")
    soon = front.certificate(NAME)
    assert front.ssh("systemctl is-active nginx-self-signed@stack.timer") == "active\n"
    front.ssh("systemctl start nginx-self-signed@stack.service")
    wait_for(lambda: front.certificate(NAME) != soon, "the new certificate")
    front.ssh("cd /etc/nginx/stack.d/tls && openssl x509 -noout -checkend 60000000 -in *.pem")


def end_of(front):
    return front.ssh("openssl x509 -noout -enddate -in /etc/nginx/stack.d/tls/self-signed-*.pem")


#: Kills an activation later and later, until one is through. nginx accepts what is there each time.
INTERRUPTED = """
cd /etc/nginx
exec 2>/run/interrupted.log
sed -i 's/client_max_body_size .*/client_max_body_size 11m;/' {staged}/local/site.conf
killed=0 ms=10
until timeout --signal=KILL $(printf '%d.%03d' $((ms / 1000)) $((ms % 1000))) {command}; do
    nginx -t -q || exit 1
    killed=$((killed + 1)) ms=$((ms + ms / 32 + 1))
done
echo killed $killed times
"""


@pytest.mark.parametrize("who", ["alone", "shared"])
def test_an_activation_that_is_cut_off_leaves_what_nginx_accepts(fronts, who):
    front = getattr(fronts, who)
    entry = front.ssh("ls /etc/nginx/conf.d/stack.conf /etc/nginx/sites-enabled/zz-stack.conf"
                      " 2>/dev/null || true").split()[0]  # fmt: skip
    output = front.ssh(
        INTERRUPTED.format(staged="stack.d/staged", command=f"stack-nginx activate {entry}"),
        timeout=900,
    )
    assert "pending" not in front.ssh("ls /etc/nginx/stack.d")
    assert int(re.search(r"killed (\d+) times", output)[1]) > 0
    assert "11m" in front.ssh("cat /etc/nginx/stack/local/site.conf")
    assert serves_the_site(front)


def test_a_foreign_nginx_conf_that_is_to_be_replaced_is_kept_once(fronts):
    ours = "/etc/nginx/nginx.conf"
    theirs = f"{ours}.before-stack"
    for _ in range(2):
        fronts.play("--limit=shared", nginx_replace_nginx_conf=True).expect_success()
        assert fronts.shared.ssh(f"grep -c 'include stack/nginx.conf' {ours}") == "1\n"
        assert "worker_connections 900;" in fronts.shared.ssh(f"cat {theirs}")
        assert serves_the_site(fronts.shared)
        assert serves_the_blog(fronts.shared)
        fronts.shared.ssh(f"sed s/900/901/ {theirs} >{ours}")  # they change their mind


NO_IPV6 = "[Service]\\nRestrictAddressFamilies=AF_UNIX AF_INET AF_NETLINK\\n"


def test_without_ipv6_nginx_starts(fronts):
    """Neither who logs in nor nginx has IPv6, as if the kernel had none."""
    for unit in ("ssh", "nginx"):
        fronts.shared.ssh(
            f"mkdir -p /etc/systemd/system/{unit}.service.d && printf '{NO_IPV6}'"
            f" > /etc/systemd/system/{unit}.service.d/no-ipv6.conf"
        )
    fronts.shared.ssh("rm /etc/nginx/sites-enabled/blog")  # which listens on [::] itself
    fronts.shared.ssh("systemctl daemon-reload && systemctl restart ssh")
    # Not over the connection of the play before, which Ansible keeps for a minute.
    fronts.play("--limit=shared", ansible_ssh_args="-o ControlPath=none").expect_success()
    fronts.shared.ssh("systemctl restart nginx")
    assert serves_the_site(fronts.shared)
