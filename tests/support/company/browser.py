"""A browser without a window: it keeps its cookies and sends forms."""

from __future__ import annotations

import http.cookiejar
import re
import urllib.parse
import urllib.request

from support.server import PATIENCE

from .site import Site


class Browser:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._jar = http.cookiejar.CookieJar()
        cookies = urllib.request.HTTPCookieProcessor(self._jar)
        self._opener = urllib.request.build_opener(cookies)

    @property
    def cookie(self) -> str:
        """The header with all of its cookies."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)

    def open(self, path: str, **form: str) -> str:
        """The text of a page; with a ``form``, of what answers it. Raises ``HTTPError``."""
        data = urllib.parse.urlencode(form).encode() if form else None
        with self._opener.open(self._site.url + path, data, timeout=PATIENCE) as page:
            return page.read().decode()

    def submit(self, path: str, page: str | None = None, **fields: str) -> str:
        """Send a form to ``path`` that stands on ``page``, by default on the same one."""
        text = self.open(page or path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)[1]
        return self.open(path, csrfmiddlewaretoken=token, **fields)

    def log_in(self, name: str, password: str) -> None:
        """By the project's own page."""
        self.submit("accounts/login/", username=name, password=password)

    def log_out(self) -> None:
        self.submit("accounts/logout/", page="echo/")
