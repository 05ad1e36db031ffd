// The bell: how many notes are new, and the notes.

import { connect } from "../django_websocket/websocket.js";
import { fieldErrors } from "./fields.js";
import { statusLine } from "./status.js";

const panel = document.querySelector("[data-socket]");
const form = document.querySelector("#form");
const count = document.querySelector("#count");
const list = document.querySelector("#notes");
const showErrors = fieldErrors(form);
let unread = 0;

function ring(number) {
  unread = number;
  count.textContent = unread ? `${unread} new` : "Nothing new";
  count.dataset.unread = unread;
}

function show({ from, text }) {
  const item = document.createElement("li");
  item.textContent = `${from}: ${text}`;
  list.prepend(item);
  ring(unread + 1);
}

const connection = connect(panel.dataset.socket, {
  since: "0", // all that the server keeps: a window that opens later rings as well
  onJSON({ data }) {
    if (data?.note) show(data.note);
    if (data?.read) ring(0);
  },
  onState: statusLine(document.querySelector("#status")),
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await connection.request("send", new FormData(form));
    showErrors({});
    form.elements.text.value = "";
  } catch (error) {
    showErrors(error.fields, error.message);
  }
});

document.querySelector("#read").addEventListener("click", () => connection.sendJSON({ type: "read" }));
