"""What a page, or a message, of an attacker does in a visitor's browser."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from browser.windows import CHROMIUM, FLAGS
from support.raw_http import get
from support.stack import Stack
from support.visitors import Visitor, log_in, make_member

from .model import attack

HIJACK = """url => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onmessage = (event) => resolve("read: " + event.data);
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
})"""

FORGE = """async (url) => {
    const body = new URLSearchParams({ username: "mallory", password: "x", next: "/" });
    await fetch(url, { method: "POST", body, mode: "no-cors", credentials: "include" });
    const read = await fetch(url, { credentials: "include" }).catch(() => null);
    return read && (await read.text());
}"""


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield running
        finally:
            running.close()


class Silent(http.server.BaseHTTPRequestHandler):
    """Somebody else's website."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Win a prize</title>")

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def other_site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@attack(
    "Cross-site WebSocket hijacking, in Chromium",
    "a member's browser, cookies and all, opens a page of another origin, which opens sockets, "
    "posts forms and reads pages of the site; a frame around the site; a page without an origin",
    "Every socket is refused, CSRF refuses the form, nothing can be read, no frame shows the site.",
)
def hijacking(stack: Stack) -> None:
    make_member(stack, "victim")
    cookies = [each.split("=") for each in log_in(stack, "victim").split("; ")]
    socket = f"ws://localhost:{stack.port}/chat/hijacked/"
    with browser() as running, other_site() as evil:
        context = running.new_context()
        # "localhost" without a port: a browser sends them to every port, and so from the evil page.
        context.add_cookies([{"name": k, "value": v, "url": stack.url} for k, v in cookies])
        page = context.new_page()
        page.goto(stack.url)
        assert page.evaluate(HIJACK, socket) == "open"  # the site's own page may
        page.goto(evil)
        assert page.evaluate(HIJACK, socket) == "refused"
        assert page.evaluate(FORGE, f"{stack.url}accounts/login/") is None
        page.set_content(f'<iframe src="{stack.url}chat/hijacked/"></iframe>')
        page.wait_for_load_state("networkidle")
        assert "hijacked" not in page.frames[-1].content()
        page.goto("data:text/html,<title>no origin</title>")
        assert page.evaluate(HIJACK, socket) == "refused"


PAYLOADS = [
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "<svg/onload=window.ran=1>",
    '"><script>window.ran = 1</script>',
    "' onmouseover='window.ran = 1",
    "</template><script>window.ran = 1</script>",
    "</textarea><img src=x onerror=window.ran=1>",
    "javascript:window.ran=1",
    "{{ 7*7 }}${window.ran=1}",
    "\u202e<b onclick=window.ran=1>",
]


@attack(
    "Cross-site scripting, in Chromium",
    "ten payloads as a chat's text and name, in the page and in what comes by the socket; in "
    "the URL of a room, its query, and pages that do not exist; a script that somehow got into "
    "a page",
    "All of it is text. Content-Security-Policy runs nothing that is not a file of the site.",
)
def scripting(stack: Stack) -> None:
    with browser() as running, Visitor(stack, "scripted") as visitor:
        page = running.new_page(base_url=stack.url)
        page.goto("/chat/scripted/")
        for number, payload in enumerate(PAYLOADS):
            visitor.say(f"{payload} {number}", name=payload.replace("\u202e", "")[:32])
        last = page.get_by_text(f" {len(PAYLOADS) - 1}", exact=False).last
        last.wait_for()
        check(page)
        for path in (
            "/chat/scripted/",
            "/chat/?room=" + PAYLOADS[3],
            "/chat/x?since=" + PAYLOADS[0],
        ):
            page.goto(path)
            check(page)
        for payload in PAYLOADS:
            with suppress(Exception):  # a path that the browser does not send
                page.goto("/" + payload)
            check(page)
        page.goto("/chat/scripted/")
        page.evaluate(
            "html => document.body.insertAdjacentHTML('beforeend', html)",
            "<img src=x onerror='window.ran = 1'><iframe srcdoc='<script>parent.ran = 1</script>'>",
        )
        page.wait_for_timeout(300)
        check(page)
    assert "default-src 'self'" in get(stack.port, "/chat/").headers["Content-Security-Policy"]


def check(page: Page) -> None:
    assert page.evaluate("window.ran") is None, page.url
