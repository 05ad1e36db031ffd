// A chat room's page: shows what is said, sends what the visitor says.
// The messages of the socket are described in chat/websockets.py.

import { connect } from "../examples/connect.js";

const panel = document.querySelector("[data-socket]");
const log = document.querySelector("#log");
const list = log.querySelector("ol");
const form = document.querySelector("#form");
const latest = document.querySelector("#latest");
const template = document.querySelector("#message");
const { colour, name, text } = form.elements;

let pending = null; // the text that waits for the server's answer
let following = true; // the end of the log is in view, and stays so

// Messages ----------------------------------------------------------------------------------------

function find(id) {
  return list.querySelector(`[data-id="${Number(id)}"]`);
}

function formatTime(element) {
  const time = new Date(element.dateTime);
  const today = time.toDateString() === new Date().toDateString();
  const date = today ? {} : { day: "numeric", month: "short" };
  element.textContent = time.toLocaleString([], { ...date, hour: "numeric", minute: "2-digit" });
  element.title = time.toLocaleString();
}

function build(message) {
  const item = template.content.firstElementChild.cloneNode(true);
  const time = item.querySelector("time");
  item.dataset.id = message.id;
  item.querySelector("circle").setAttribute("fill", message.colour);
  item.querySelector(".name").textContent = message.name;
  item.querySelector(".badge").hidden = !message.member;
  item.querySelector(".text").textContent = message.text;
  time.dateTime = message.created;
  formatTime(time);
  return item;
}

/** Show messages that are not there yet, each at the place that its id gives it. */
function show(messages) {
  for (const message of messages) {
    if (find(message.id)) continue;
    const later = [...list.children].find((item) => Number(item.dataset.id) > message.id);
    list.insertBefore(build(message), later ?? null);
    latest.hidden = following;
  }
  if (following) scrollToEnd();
}

function scrollToEnd() {
  log.scrollTop = log.scrollHeight;
}

log.addEventListener("scroll", () => {
  following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  if (following) latest.hidden = true;
});
latest.addEventListener("click", () => {
  scrollToEnd();
  text.focus();
});
new ResizeObserver(() => {
  if (following) scrollToEnd();
}).observe(log);

// Errors ------------------------------------------------------------------------------------------

function showErrors(errors) {
  const { __all__: general = [], ...fields } = errors;
  document.querySelector("#error").textContent = general.join(" ");
  for (const field of [colour, name, text]) {
    const sentences = fields[field.name] ?? [];
    document.querySelector(`#${field.id}_error`).textContent = sentences.join(" ");
    field.setAttribute("aria-describedby", `${field.id}_error`);
    field.setAttribute("aria-invalid", sentences.length > 0);
  }
  form.querySelector('[aria-invalid="true"]')?.focus();
}

// Socket ------------------------------------------------------------------------------------------

const receive = {
  history({ messages }) {
    // When more was missed than the history holds, what is shown would have a hole.
    if (!messages.some((message) => find(message.id))) list.replaceChildren();
    show(messages);
  },
  message({ message }) {
    show([message]);
  },
  sent() {
    if (text.value === pending) text.value = "";
    pending = null;
    showErrors({});
    scrollToEnd();
  },
  error({ errors }) {
    pending = null;
    showErrors(errors);
  },
};

const status = document.querySelector("#status");
const send = connect(
  panel.dataset.socket,
  status,
  (data) => {
    const message = JSON.parse(data);
    receive[message.type]?.(message);
  },
  () => {
    pending = null; // its answer is lost with the connection
  },
);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (text.value === pending) return;
  const message = { name: name.value, colour: colour.value, text: text.value };
  if (send(JSON.stringify(message))) pending = text.value;
  else showErrors({ __all__: ["Not sent: there is no connection. Your text stays here."] });
});

text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

// Visitor -----------------------------------------------------------------------------------------

const DEFAULTS = {
  name: () => `Guest ${Math.floor(1000 + Math.random() * 9000)}`,
  colour: () => ["#c2410c", "#a16207", "#15803d", "#0f766e", "#1d4ed8", "#7e22ce", "#be185d"].at(
    Math.floor(Math.random() * 7),
  ),
};

for (const field of [name, colour]) {
  if (field.disabled) continue; // a member's name
  const key = `chat.${field.name}`;
  field.value = localStorage.getItem(key) ?? DEFAULTS[field.name]();
  field.addEventListener("change", () => localStorage.setItem(key, field.value));
}

log.querySelectorAll("time").forEach(formatTime);
