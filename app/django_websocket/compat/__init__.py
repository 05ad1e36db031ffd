"""What exists only because gevent-websocket 0.10.1 has it."""
