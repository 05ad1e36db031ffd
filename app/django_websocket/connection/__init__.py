"""One WebSocket connection: its bytes, its messages and its view's greenlet."""
