"""The world in which tests run a socket's view: threads, as nothing is patched there."""
