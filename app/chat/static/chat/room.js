// A chat room's page: shows what is said, sends what the visitor says.
// The messages of the socket are described in chat/websockets.py.

import { connect } from "../django_websocket/websocket.js";
import { statusLine } from "../examples/status.js";
import { peopleLine } from "./people.js";

const panel = document.querySelector("[data-socket]");
const log = document.querySelector("#log");
const list = log.querySelector("ol");
const form = document.querySelector("#form");
const latest = document.querySelector("#latest");
const template = document.querySelector("#message");
const { colour, name, text } = form.elements;

let following = true; // the end of the log is in view, and stays so
let more = "more" in panel.dataset; // there are messages before the first that is shown
const removed = new Set(); // ids that an answer which was under way may still bring

// Messages ----------------------------------------------------------------------------------------

function idOf(item) {
  return Number(item?.dataset.id ?? 0);
}

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
    const tooOld = more && message.id < idOf(list.firstElementChild); // scrolling up will show it
    if (tooOld || find(message.id)) continue;
    const earlier = [...list.children].findLast((item) => idOf(item) < message.id);
    if (earlier) earlier.after(build(message));
    else list.prepend(build(message));
    latest.hidden = following;
  }
  if (following) scrollToEnd();
}

function drop(items) {
  for (const item of items) item.remove();
  if (!list.children.length) list.textContent = ""; // :empty knows no white space
}

/** Messages have been deleted. */
function remove(ids) {
  const items = ids.map(find).filter(Boolean);
  for (const id of ids) removed.add(id);
  drop(items);
  if (items.length === 1) news.textContent = "A message was removed.";
  if (items.length > 1) news.textContent = `${items.length} messages were removed.`;
  if (more && log.scrollHeight <= log.clientHeight) fill();
}

function scrollToEnd() {
  log.scrollTop = log.scrollHeight;
}

log.addEventListener("scroll", () => {
  following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  if (following) latest.hidden = true;
  else if (log.scrollTop < log.clientHeight) showEarlier();
});
latest.addEventListener("click", () => {
  scrollToEnd();
  text.focus();
});
new ResizeObserver(() => {
  if (following) scrollToEnd();
}).observe(log);

// History -----------------------------------------------------------------------------------------

const earlier = document.querySelector("#earlier");

async function load(query = "") {
  const response = await fetch(panel.dataset.messages + query);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  const page = await response.json();
  page.messages = page.messages.filter(({ id }) => !removed.has(id));
  return page;
}

/** Put the messages before the first one above it; what is being read stays where it is. */
async function showEarlier() {
  if (!more || !earlier.hidden) return;
  earlier.hidden = false;
  try {
    const page = await load(`?before=${idOf(list.firstElementChild)}`);
    const below = log.scrollHeight - log.scrollTop;
    log.setAttribute("aria-live", "off"); // no news
    list.prepend(...page.messages.map(build));
    more = page.more;
    earlier.hidden = true;
    log.scrollTop = log.scrollHeight - below;
  } catch {
    earlier.hidden = true; // the next scroll tries again
  } finally {
    requestAnimationFrame(() => log.setAttribute("aria-live", "polite"));
  }
}

/** So much was removed that the log has no scrollbar, by which earlier messages are asked for. */
function fill() {
  if (list.firstElementChild) showEarlier();
  else mend();
}

/**
 * Messages have come or gone of which the channel no longer knows. The database does. What follows
 * what is shown without a break is shown as well; more than a page, once it is scrolled to.
 */
async function mend(shown = [...list.children]) {
  try {
    const { messages, more: earlier } = await loadBackTo(shown);
    const known = new Map(messages.map((message) => [message.id, message]));
    drop(shown.filter((item) => known.get(idOf(item))?.text !== item.querySelector(".text").textContent));
    more = earlier;
    show(messages);
  } catch {
    setTimeout(mend, 2000, shown);
  }
}

/** The latest page, and those before it as far as they meet what is shown. */
async function loadBackTo(shown) {
  const [oldest, newest] = [idOf(shown[0]), idOf(shown.at(-1))];
  const page = await load();
  for (let first; page.more && (first = page.messages[0]?.id) > oldest && first <= newest; ) {
    const earlier = await load(`?before=${first}`);
    page.messages.unshift(...earlier.messages);
    page.more = earlier.more;
  }
  return page;
}

// Errors ------------------------------------------------------------------------------------------

function showErrors(errors, { focus = true } = {}) {
  const { __all__: general = [], ...fields } = errors;
  document.querySelector("#error").textContent = general.join(" ");
  for (const field of [colour, name, text]) {
    const sentences = fields[field.name] ?? [];
    document.querySelector(`#${field.id}_error`).textContent = sentences.join(" ");
    field.setAttribute("aria-describedby", `${field.id}_error`);
    field.setAttribute("aria-invalid", sentences.length > 0);
  }
  if (focus) form.querySelector('[aria-invalid="true"]')?.focus();
}

// Socket ------------------------------------------------------------------------------------------

const news = document.querySelector("#news");
const people = peopleLine(document.querySelector("#people"), news);

const receive = {
  people: people.change,
  announcement({ text }) {
    document.querySelector("#announcement").textContent = text;
  },
};

const tell = statusLine(document.querySelector("#status"));
const connection = connect(panel.dataset.socket, {
  since: "0",
  onJSON(message) {
    if (message.gap || message.cleared) mend();
    else if (message.channel) change(message.data);
    else receive[message.type]?.(message);
  },
  onState(state) {
    tell(state);
    people.known(state.name === "open");
    if (state.name === "open") enter();
  },
});

/** What was published to the room; null in the place of what was taken back. */
function change(data) {
  if (!data) return;
  if (data.removed) return remove(data.removed);
  removed.delete(data.id); // edited, and published anew
  show([data]);
}

/** Be among the people, under the name that is in the form. */
async function enter() {
  if (connection.state.name !== "open") return; // then it is done when it is
  try {
    people.self((await connection.request("enter", { name: name.value })).name);
  } catch ({ fields }) {
    if (fields.name) showErrors(fields, { focus: false }); // who only looks in may go on reading
  }
}

function makeKey() {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const underWay = new Set(); // texts that the server has not confirmed yet

/** If the connection is lost, it is sent again; the server knows it by its key. */
async function say(message) {
  underWay.add(message.text);
  try {
    await connection.request("say", message, { again: true, timeout: Infinity });
    if (text.value === message.text) text.value = "";
    showErrors({});
    scrollToEnd();
  } catch ({ code, message: sentence, fields }) {
    const lost = "Not sent: there is no connection. Your text is still here.";
    const general = { __all__: [code === "closed" ? lost : sentence] };
    showErrors(Object.keys(fields).length ? fields : general);
  } finally {
    underWay.delete(message.text);
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (underWay.has(text.value)) return;
  say({ key: makeKey(), name: name.value, colour: colour.value, text: text.value });
  if (["open", "closed"].includes(connection.state.name)) return;
  showErrors({ __all__: ["Not sent yet. It will be sent when the connection is back."] });
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
name.addEventListener("change", enter);

log.querySelectorAll("time").forEach(formatTime);
