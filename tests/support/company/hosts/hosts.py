from django.conf import settings
from django_hosts import host, patterns

host_patterns = patterns(
    "",
    host("shop", "support.company.hosts.pages", name="shop"),
    host(r"(?:www)?", settings.ROOT_URLCONF, name="main"),
)
