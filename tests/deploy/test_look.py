"""What an nginx that serves others says of a site that is to be added."""

import runpy

import pytest
import roles

LOOK = runpy.run_path(str(roles.ROLES / "nginx" / "files" / "look.py"))
WANTS = {"site": "shop", "names": ["shop.example.com"], "default_server": "auto"}
NGINX_CONF = """
user www-data; # not ; { or }
events { worker_connections 768; }
http {
    log_format plain '{"a": "$uri;"}';
    include /etc/nginx/conf.d/*.conf;
    include sites-enabled/*;
}
"""


def looked(*files, **wants):
    """The site, and what else there is: nginx.conf, and ``files`` as (path, text)."""
    every = [("/etc/nginx/nginx.conf", NGINX_CONF), *files]
    dump = "".join(f"# configuration file {path}:\n{text}\n" for path, text in every)
    configuration, site = LOOK["Configuration"](dump), LOOK["Site"](WANTS | wants)
    return site, LOOK["Others"](configuration, site, but=None), configuration


def refusals(*files, **wants):
    site, others, _ = looked(*files, **wants)
    return [each for each in site.refusals(others) if "listens on port" not in each]


def enabled(text):
    return ("/etc/nginx/sites-enabled/wiki", text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("server { server_name Shop.Example.com; }", "shop.example.com"),
        ("server { listen [::]:443 ssl; server_name a.example shop.example.com; }", "shop"),
        ("server { listen 127.0.0.1; server_name 'shop.example.com'; }", "shop.example.com"),
        ("upstream shop_http { server 127.0.0.1:1; }", "the upstream shop_http"),
        ("map $uri $shop_static_expires { default 1; }", "the map shop_static_expires"),
        ("limit_conn_zone $uri zone=shop_sockets:1m;", "the zone shop_sockets"),
        ("log_format shop_log '$uri';", "the log_format shop_log"),
    ],
)
def test_what_would_collide_is_refused_with_its_file_and_name(text, name):
    (refusal,) = refusals(enabled(text))
    assert "/etc/nginx/sites-enabled/wiki" in refusal
    assert name in refusal


@pytest.mark.parametrize(
    "text",
    [
        "server { listen 80; server_name wiki.example.com; }",
        "server { listen 8080; server_name shop.example.com; }",
        "server { listen unix:/run/wiki.sock; server_name shop.example.com; }",
        "upstream shopping { server 127.0.0.1:1; }",
        "server { listen 80 default_server; }",
    ],
)
def test_what_does_not_collide_is_not_refused(text):
    assert refusals(enabled(text)) == []


def test_a_name_in_an_included_file_counts_as_well():
    files = [
        enabled("server { listen 80; include snippets/names.conf; }"),
        ("/etc/nginx/snippets/names.conf", "server_name shop.example.com;"),
    ]
    (refusal,) = refusals(*files)
    assert "/etc/nginx/sites-enabled/wiki" in refusal


def test_only_one_site_may_always_be_the_default_server():
    (refusal,) = refusals(
        enabled("server { listen 443 ssl default_server; }"), default_server="always"
    )
    assert "/etc/nginx/sites-enabled/wiki has the default server of 443" in refusal


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("server { listen 80; }", "/etc/nginx/sites-enabled/zz-shop.conf"),
        ("server { listen 80 default_server; }", "/etc/nginx/conf.d/shop.conf"),
        ("server { listen 8080; }", "/etc/nginx/conf.d/shop.conf"),
    ],
)
def test_who_answers_names_that_nobody_has_just_by_being_first_remains_the_first(text, place):
    site, others, configuration = looked(enabled(text))
    assert str(LOOK["_place"](site, others, configuration)) == place
