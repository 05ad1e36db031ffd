"""Nothing inline runs on any page; a page that needed it would complain on its console."""

from contextlib import closing

import pytest

from .windows import connected, log_in_as

PAGES = ["/", "/chat/", "/chat/csp/", "/echo/", "/ticker/", "/accounts/login/"]
ADMIN = [
    "/admin/",
    "/admin/auth/user/",
    "/admin/auth/user/1/change/",
    "/admin/auth/user/1/password/",
    "/admin/chat/announcement/add/",
    "/admin/chat/message/",
    "/admin/chat/room/",
]

ADD_SCRIPT = """() => new Promise((resolve) => {
    document.addEventListener("securitypolicyviolation", (e) => resolve(e.effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.head.append(script);
    setTimeout(() => resolve(window.ran ? "it ran" : "nothing"), 5000);
})"""


@pytest.mark.parametrize("path", PAGES)
def test_a_page_works_without_anything_inline(window, path):
    page = window()
    response = page.goto(path)
    assert response.status == 200
    assert "default-src 'self'" in response.headers["content-security-policy"]
    if page.locator("#status").count():
        connected(page)


def test_a_script_that_somebody_gets_into_a_page_does_not_run(browser, stack):
    with closing(browser.new_context(base_url=stack.url)) as context:
        page = context.new_page()
        page.goto("/chat/csp/")
        assert page.evaluate(ADD_SCRIPT) == "script-src-elem"


def test_the_admin_works_without_anything_inline(browser, stack):
    complaints = []
    with closing(browser.new_context(base_url=stack.url)) as context:
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else 0)
        log_in_as(page, stack, "csp-admin")
        for path in ADMIN:
            response = page.goto(path)
            assert response.status == 200, path
            assert "default-src 'self'" in response.headers["content-security-policy"], path
    assert complaints == []
