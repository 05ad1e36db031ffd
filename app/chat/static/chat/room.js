// A chat room's page: shows what is said, sends what the visitor says.
// The messages of the socket are described in chat/websockets.py.

import { connect } from "../django_websocket/websocket.js";
import { statusLine } from "../examples/status.js";
import { build, dress, group, idOf, textOf } from "./messages.js";
import { isMine, remember, storedKeys } from "./mine.js";
import { peopleLine } from "./people.js";
import { unread } from "./unread.js";

const panel = document.querySelector("[data-socket]");
const log = document.querySelector("#log");
const list = log.querySelector("ol");
const form = document.querySelector("#form");
const latest = document.querySelector("#latest");
const { colour, name, text } = form.elements;
const member = name.disabled ? name.value : null; // who is logged in
const waiting = unread(document.querySelector('link[rel="icon"]'));

let following = true; // the end of the log is in view, and stays so
let more = "more" in panel.dataset; // there are messages before the first that is shown
const removed = new Set(); // ids that an answer which was under way may still bring

// Messages ----------------------------------------------------------------------------------------

function find(id) {
  return list.querySelector(`[data-id="${Number(id)}"]`);
}

/** Show messages that are not there yet, each at the place that its id gives it. */
function show(messages) {
  const keys = storedKeys();
  for (const message of messages) {
    const tooOld = more && message.id < idOf(list.firstElementChild); // scrolling up will show it
    if (tooOld) continue;
    const item = build(message);
    const shown = find(message.id);
    if (shown) {
      shown.replaceWith(item);
      continue;
    }
    const earlier = [...list.children].findLast((other) => idOf(other) < message.id);
    if (earlier) earlier.after(item);
    else list.prepend(item);
    latest.hidden = following;
    if (!isSeen() && !isMine(item, member, keys)) waiting.count(item);
  }
  arrange();
  if (following) scrollToEnd();
}

/** What a message shows depends on its neighbours, and on who looks. */
function arrange() {
  const keys = storedKeys();
  group(list);
  for (const item of list.children) {
    const own = isMine(item, member, keys);
    item.classList.toggle("own", own);
    item.querySelector(".actions").hidden = !own;
  }
}

function isSeen() {
  return following && document.visibilityState === "visible";
}

function drop(items) {
  for (const item of items) item.remove();
  if (!list.children.length) list.textContent = ""; // :empty knows no white space
  arrange();
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
  if (isSeen()) waiting.seen();
  if (following) latest.hidden = true;
  else if (log.scrollTop < log.clientHeight) showEarlier();
});
latest.addEventListener("click", () => {
  scrollToEnd();
  text.focus();
});
document.addEventListener("visibilitychange", () => {
  if (isSeen()) waiting.seen();
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
    arrange();
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
    drop(shown.filter((item) => known.get(idOf(item))?.text !== textOf(item)));
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
  if (fields.name || fields.colour) openWho(true);
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
const retry = document.querySelector("#retry");
const connection = connect(panel.dataset.socket, {
  since: "0",
  onJSON(message) {
    if (message.gap || message.cleared) mend();
    else if (message.whisper) showTyping(message.from);
    else if (message.channel) change(message.data);
    else receive[message.type]?.(message);
  },
  onState(state) {
    tell(state);
    retry.hidden = !["waiting", "closed"].includes(state.name);
    people.known(state.name === "open");
    if (state.name === "open") enter();
  },
});

retry.addEventListener("click", () => connection.retry());

/** What was published to the room; null in the place of what was taken back. */
function change(data) {
  if (!data) return;
  if (data.removed) return remove(data.removed);
  removed.delete(data.id);
  if (typists.delete(data.name)) showTyping();
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

const send = form.querySelector(".send");
const editing = document.querySelector("#editing");
const underWay = new Set(); // texts that the server has not confirmed yet
let edited = null; // the message that is being edited

/** If the connection is lost, it is sent again; the server knows it by its key. */
async function say(message) {
  const { id } = await request("say", message);
  remember(id, message.key);
  arrange();
  scrollToEnd();
}

async function request(event, message) {
  return connection.request(event, message, { again: true, timeout: Infinity });
}

/** Do it with the text of the form, which is emptied when that is done. */
async function submit(action, sent) {
  underWay.add(sent);
  send.textContent = "Sending…";
  try {
    await action();
    if (text.value === sent) text.value = "";
    announced = -Infinity; // what is typed next is news
    showErrors({});
  } catch (error) {
    explain(error);
  } finally {
    underWay.delete(sent);
    send.textContent = "Send";
  }
}

function explain({ code, message, fields }) {
  const lost = "Not sent: try again. There is no connection; your text is still here.";
  const named = Object.keys(fields).length > 0;
  showErrors(named ? fields : { __all__: [code === "closed" ? lost : message] });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const sent = text.value;
  if (underWay.has(sent)) return;
  if (edited) {
    const message = { ...edited, text: sent };
    submit(() => request("change", message).then(() => edit(null)), sent);
  } else {
    const message = { key: makeKey(), name: name.value, colour: colour.value, text: sent };
    submit(() => say(message), sent);
  }
  if (["open", "closed"].includes(connection.state.name)) return;
  showErrors({ __all__: ["Not sent yet. It will be sent when the connection is back."] });
});

// One's own messages ------------------------------------------------------------------------------

list.addEventListener("click", async ({ target }) => {
  const item = target.closest(".message");
  const own = { id: idOf(item), key: storedKeys()[idOf(item)] };
  if (target.matches(".change")) edit(own, textOf(item));
  if (!target.matches(".remove") || !confirm("Delete this message for everyone?")) return;
  try {
    await connection.request("remove", own);
  } catch (error) {
    explain(error);
  }
});

/** Edit the message, or none any more. */
function edit(own, sentence = "") {
  edited = own;
  editing.hidden = !own;
  text.value = sentence;
  text.focus();
}

editing.querySelector("button").addEventListener("click", () => edit(null));

// Who is typing -----------------------------------------------------------------------------------

const typing = document.querySelector("#typing");
const TYPING = 4000; // milliseconds for which it is shown, and half of which it is not sent again
const typists = new Map();
let announced = -Infinity;

/** Somebody is, by this name; or has stopped, by having said something. */
function showTyping(who) {
  if (who) {
    clearTimeout(typists.get(who));
    typists.set(who, setTimeout(() => typists.delete(who) && showTyping(), TYPING));
  }
  const names = [...typists.keys()];
  typing.textContent = names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
}

text.addEventListener("input", () => {
  if (!text.value || connection.state.name !== "open" || performance.now() - announced < TYPING / 2) return;
  announced = performance.now();
  connection.request("typing", null).catch(() => {}); // it is no loss
});

text.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && edited) edit(null);
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

// On a phone, name and colour are behind a button.
const who = document.querySelector("#who");

function openWho(open) {
  who.setAttribute("aria-expanded", open);
  form.classList.toggle("open", open);
}

function showColour() {
  who.querySelector("circle").setAttribute("fill", colour.value);
}

who.addEventListener("click", () => openWho(!form.classList.contains("open")));
colour.addEventListener("input", showColour);
showColour();

[...list.children].forEach(dress);
arrange();
