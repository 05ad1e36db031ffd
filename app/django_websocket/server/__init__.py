"""gunicorn and pywsgi: one request on one TCP connection."""
