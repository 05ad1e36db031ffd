// The package is the module that the Django app ships, under the same licence.
import { copyFileSync } from "node:fs";

copyFileSync("../app/django_websocket/static/django_websocket/websocket.js", "websocket.js");
copyFileSync("../LICENSE", "LICENSE");
