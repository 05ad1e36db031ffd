"""django-hosts: a urlconf of pages for each host, and one of sockets beside it."""
