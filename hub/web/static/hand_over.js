// The hand-over page's two buttons, which need JavaScript: without it they are hidden, and the link to the text stays.
"use strict";
(() => {
  const copy = document.getElementById("copy");
  const print = document.getElementById("print");
  const said = document.getElementById("copied");

  const clipboard = async (text) => {
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return true;
    }
    const field = document.createElement("textarea"); // over plain http there is no clipboard
    field.value = text;
    field.setAttribute("readonly", "");
    field.className = "nhsuk-u-visually-hidden";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  };

  if (copy) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      said.textContent = "";
      try {
        const answer = await fetch(copy.dataset.text, { headers: { Accept: "text/plain" } });
        if (!answer.ok) throw new Error("no text");
        const done = await clipboard(await answer.text());
        said.textContent = done ? "Copied." : "It could not be copied. Open it as text, and copy it there.";
      } catch {
        said.textContent = "It could not be copied. Open it as text, and copy it there.";
      }
      copy.focus();
    });
  }
  if (print) {
    print.hidden = false;
    print.addEventListener("click", () => window.print());
  }
})();
