// Comfort for pages that work without it: shows passwords, and copies codes. Its buttons are hidden until it runs.
"use strict";

for (const button of document.querySelectorAll("button[data-reveals]")) {
  const field = document.getElementById(button.dataset.reveals);
  const show = (isVisible) => {
    field.type = isVisible ? "text" : "password";
    button.setAttribute("aria-pressed", String(isVisible));
  };
  button.addEventListener("click", () => show(field.type === "password"));
  // browsers keep what text fields hold, and offer it again
  field.form.addEventListener("submit", () => show(false));
  button.hidden = false;
}

for (const button of document.querySelectorAll("button[data-copies]")) {
  // only a page that came by https, or from this machine, may write to the clipboard
  if (!navigator.clipboard) continue;
  const source = document.getElementById(button.dataset.copies);
  const label = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
    } catch {
      getSelection().selectAllChildren(source);
      return;
    }
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = label; }, 3000);
  });
  button.hidden = false;
}
