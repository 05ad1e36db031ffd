"""Django's request cycle on a handshake, and what follows it."""
