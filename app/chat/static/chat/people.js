// Who is in the room: in one line, and name by name when it is opened.

const MANY = 3; // up to so many are announced by name; of more, a screen reader announces the number

/**
 * Shows in `details` what the socket tells of people, and tells comings and goings in `news`,
 * which is for the ear only.
 */
export function peopleLine(details, news) {
  const count = details.querySelector(".count");
  const others = details.querySelector(".others");
  const list = details.querySelector("ul");
  const collator = new Intl.Collator();
  const present = new Set();
  let self = null;

  function sorted() {
    const rank = (name) => (name === self ? 0 : 1);
    return [...present].sort((a, b) => rank(a) - rank(b) || collator.compare(a, b));
  }

  function show() {
    const names = sorted();
    const alone = names.length === 1 && names[0] === self;
    count.textContent = alone ? "Only you are here" : `${names.length || "Nobody"} here`;
    others.textContent = alone ? "" : names.map(label).join(", ");
    for (const item of [...list.children]) if (!present.has(item.dataset.name)) item.remove();
    const items = new Map([...list.children].map((item) => [item.dataset.name, item]));
    list.append(...names.map((name) => items.get(name) ?? build(name)));
    for (const item of list.children) item.classList.toggle("self", item.dataset.name === self);
  }

  function build(name) {
    const item = document.createElement("li");
    const text = document.createElement("bdi");
    item.dataset.name = name;
    text.textContent = name;
    item.append(text);
    return item;
  }

  function label(name) {
    return name === self ? `${name} (you)` : name;
  }

  function tell(joined, left) {
    const sentences = [[joined, "came in"], [left, "left"]]
      .filter(([names]) => names.length)
      .map(([names, did]) => `${names.length > MANY ? names.length : names.join(", ")} ${did}.`);
    if (sentences.length) news.textContent = sentences.join(" ");
  }

  return {
    /** Everyone who is there, or who has come and gone since. */
    change({ present: all, joined = [], left = [] }) {
      const strangers = (names) => names.filter((name) => name !== self);
      if (all) present.clear();
      for (const name of left) present.delete(name);
      for (const name of [...(all ?? []), ...joined]) present.add(name);
      tell(strangers(joined), strangers(left));
      show();
    },
    /** The visitor's own name, once it counts. */
    self(name) {
      self = name;
      show();
    },
    /** Whether what is shown is true, as far as we know. */
    known(yes) {
      details.classList.toggle("stale", !yes);
    },
  };
}
