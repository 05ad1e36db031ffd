"""The project's settings and middleware with one echo, as a socket's view and as a consumer."""
