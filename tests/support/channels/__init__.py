"""A Django project whose sockets do nothing but subscribe, for tests with live workers."""
