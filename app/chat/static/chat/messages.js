// Messages as they stand in the log: built, dated, with links, and grouped by day and author.

const template = document.querySelector("#message");
const LINK = /https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]}'’”]/g;
const GROUP = 5 * 60 * 1000; // how long an author's messages count as one turn

export function idOf(item) {
  return Number(item?.dataset.id ?? 0);
}

export function textOf(item) {
  return item.querySelector(".text").textContent;
}

export function build(message) {
  const item = template.content.firstElementChild.cloneNode(true);
  item.dataset.id = message.id;
  item.querySelector("circle").setAttribute("fill", message.colour);
  item.querySelector(".name").textContent = message.name;
  item.querySelector(".badge").hidden = !message.member;
  item.querySelector(".text").textContent = message.text;
  item.querySelector(".edited").hidden = !message.edited;
  item.querySelector("time").dateTime = message.created;
  return dress(item);
}

/** What the page's own messages lack: the visitor's time zone, and links. */
export function dress(item) {
  const element = item.querySelector("time");
  const time = new Date(element.dateTime);
  element.textContent = time.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
  element.title = time.toLocaleString();
  link(item.querySelector(".text"));
  return item;
}

function link(element) {
  const text = element.textContent;
  const parts = [];
  let end = 0;
  for (const { 0: url, index } of text.matchAll(LINK)) {
    if (!URL.canParse(url)) continue;
    const anchor = document.createElement("a");
    Object.assign(anchor, { href: url, target: "_blank", rel: "noopener noreferrer nofollow", textContent: url });
    parts.push(text.slice(end, index), anchor);
    end = index + url.length;
  }
  if (parts.length) element.replaceChildren(...parts, text.slice(end));
}

/** Mark the first message of each day, and those that go on where their author stopped. */
export function group(list) {
  let before;
  for (const item of list.children) {
    const time = new Date(item.querySelector("time").dateTime);
    const day = time.toDateString();
    const author = `${!item.querySelector(".badge").hidden} ${item.querySelector(".name").textContent}`;
    if (day === before?.day) delete item.dataset.day;
    else item.dataset.day = time.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
    const goesOn = day === before?.day && author === before.author && time - before.time < GROUP;
    item.classList.toggle("again", goesOn && !("unread" in item.dataset));
    before = { day, author, time };
  }
}
