"""Django's request cycle on a handshake, and then the socket's life."""
