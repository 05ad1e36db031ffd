"""nginx with nchan: python nchan.py PORT PROCESSES

A message is published by a socket too: an HTTP request for each is what nginx would be busy with.
"""

import os
import sys
from pathlib import Path

CONFIGURATION = """
load_module modules/ngx_nchan_module.so;
daemon off;
pid {folder}/nchan-{port}.pid;
error_log stderr warn;
worker_processes {processes};
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    upstream redis {{ nchan_redis_server {redis}; }}
    server {{
        listen 127.0.0.1:{port};
        nchan_redis_pass redis;
        nchan_channel_id fanout;
        nchan_message_buffer_length 1000;
        location = /fanout/ {{
            nchan_subscriber websocket;
            nchan_subscriber_first_message newest;
        }}
        location = /publish/ {{ nchan_publisher websocket http; }}
    }}
}}
"""


def main(port: str, processes: str) -> None:
    folder = os.environ["STATE_DIR"]
    path = Path(folder) / f"nchan-{port}.conf"
    redis = os.environ["REDIS_URL"]
    path.write_text(
        CONFIGURATION.format(folder=folder, port=port, processes=processes, redis=redis)
    )
    os.execvp("nginx", ["nginx", "-c", str(path), "-e", "stderr"])


if __name__ == "__main__":
    main(*sys.argv[1:])
