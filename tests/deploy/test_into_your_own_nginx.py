"""The how-to for an nginx that serves another site, command by command, on a real one."""

import os
import subprocess
import sys

import pytest

from support.certificate import self_signed
from support.server import ROOT
from support.walkthrough import read_blocks

COMMANDS = [
    block.text for block in read_blocks(ROOT / "docs/how-to/into-your-own-nginx.md")["Add the site"]
]
BLOG = """server {
    listen 80 default_server;
    server_name blog.example.com;
    return 200 "the blog\\n";
}
"""
#: Debian's /etc/nginx and two folders with certificates, on a machine with a network of its own.
BEFORE = """set -e
ip link set lo up
mount --bind "$1/nginx" /etc/nginx
mount -t tmpfs tmpfs /run
mount --bind "$1/certificates" /etc/ssl/certs
mount --bind "$1/certificates" /etc/ssl/private
/usr/sbin/nginx
trap '/usr/sbin/nginx -s stop' EXIT
"""
ASK = """
import http.client, socket, ssl, time

def ask(name, port):
    client = http.client.HTTPConnection(name)
    client.sock = socket.create_connection(("127.0.0.1", port), 20)
    if port == 443:
        client.sock = ssl._create_unverified_context().wrap_socket(
            client.sock, server_hostname=name)
    client.request("GET", "/")
    answer = client.getresponse()
    return answer.status, answer.read().decode()

def answers(name, port, status):
    try:
        return ask(name, port)[0] == status
    except OSError:
        return False

deadline = time.monotonic() + 20
# The reload: workers of before may still take connections.
while not (answers("chat.example.com", 443, 502) and answers("chat.example.com", 80, 308)):
    assert time.monotonic() < deadline, ask("chat.example.com", 80)
    time.sleep(0.1)
assert "Back in a moment" in ask("chat.example.com", 443)[1]
assert ask("blog.example.com", 80) == (200, "the blog\\n")
assert ask("nobody.example.com", 80) == (200, "the blog\\n")
print("served")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="nginx has port 80, and files of root's")
def test_each_command_adds_the_site_to_an_nginx_that_serves_another(tmp_path):
    assert len(COMMANDS) == 3
    subprocess.run(["cp", "-r", "/etc/nginx", tmp_path / "nginx"], check=True)
    (tmp_path / "nginx" / "sites-enabled" / "default").unlink(missing_ok=True)
    (tmp_path / "nginx" / "sites-enabled" / "blog").write_text(BLOG)
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    name = "chat.example.com"
    self_signed(certificates / "stack.pem", certificates / "stack.key", name)
    commands = "".join(COMMANDS).replace("/path/to/checkout", str(ROOT))
    commands = commands.replace("systemctl reload nginx", "/usr/sbin/nginx -s reload")
    script = f"{BEFORE}{commands}\n{sys.executable} - <<'END_OF_PYTHON'\n{ASK}\nEND_OF_PYTHON\n"
    answer = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", script, "sh", tmp_path],
        check=False, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "served\n"
