import pytest

pytest.register_assert_rewrite("support.company.account")

from support.company.site import serve_site  # noqa: E402


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The project behind nginx, without the sockets' process."""
    with serve_site(tmp_path_factory.mktemp("company") / "state") as site:
        yield site
