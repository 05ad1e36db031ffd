"""``manage.py runserver`` with sockets."""
