"""The protocol, sans-IO: bytes and headers in, messages and bytes out."""
