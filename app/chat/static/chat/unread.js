// What came while nobody looked: a line in the log, a number in the title, a dot on the icon.

/** `count()` a new message; everything is `seen()` once the end of the log is in view. */
export function unread(icon) {
  const title = document.title;
  const plain = icon.href;
  let number = 0;

  function show() {
    document.title = number ? `(${number}) ${title}` : title;
    icon.href = number ? icon.dataset.unread : plain;
  }

  return {
    count(item) {
      if (!number) {
        for (const old of document.querySelectorAll(".message[data-unread]")) delete old.dataset.unread;
        item.dataset.unread = "New";
      }
      number += 1;
      show();
    },
    seen() {
      if (!number) return;
      number = 0;
      show();
    },
  };
}
