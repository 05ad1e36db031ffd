// The page of an example: a log of what went out and came in, and a form to send.

import { connect } from "../django_websocket/websocket.js";
import { statusLine } from "./status.js";

const LONGEST_LOG = 100;

const panel = document.querySelector("[data-socket]");
const log = document.querySelector("#log");
const form = document.querySelector("#form");

function show(direction, text) {
  const line = document.createElement("li");
  const label = document.createElement("span");
  const content = document.createElement("span");
  line.className = direction;
  label.className = "direction";
  label.textContent = direction === "out" ? "You" : "Server";
  content.textContent = text;
  line.append(label, " ", content);
  const list = log.firstElementChild;
  list.append(line);
  if (list.children.length > LONGEST_LOG) list.firstElementChild.remove();
  log.scrollTop = log.scrollHeight;
}

function describe(message) {
  return typeof message === "string" ? message : `binary, ${message.byteLength} bytes`;
}

const connection = connect(panel.dataset.socket, {
  onMessage: (message) => show("in", describe(message)),
  onState: statusLine(document.querySelector("#status")),
});

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = form.elements.text;
  const message = form.elements.binary?.checked
    ? new TextEncoder().encode(text.value)
    : text.value;
  if (!connection.send(message)) return;
  show("out", describe(message));
  text.select();
  text.focus();
});
