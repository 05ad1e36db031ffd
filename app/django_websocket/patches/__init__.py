"""What changes in Django and in the standard library while sockets are served."""
