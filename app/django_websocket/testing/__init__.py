"""Runs a socket's view in tests, in threads, as nothing is patched there."""
