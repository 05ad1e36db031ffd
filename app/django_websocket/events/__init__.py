"""What is built on top of an open socket."""
