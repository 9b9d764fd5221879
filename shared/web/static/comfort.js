// Comfort for pages that work without it: shows and judges passwords, and copies codes. Its buttons are hidden until it runs.
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

for (const output of document.querySelectorAll("[data-judges]")) {
  const field = document.getElementById(output.dataset.judges);
  const meter = document.getElementById(output.dataset.meter);
  let timer;
  let pending;
  const show = (lines, score) => {
    output.replaceChildren(...lines.map((line) => {
      const paragraph = document.createElement("p");
      paragraph.textContent = line;
      return paragraph;
    }));
    meter.hidden = score === undefined;
    if (score !== undefined) meter.value = score;
  };
  const judge = async () => {
    pending = new AbortController();
    const { signal } = pending;
    const body = new URLSearchParams({ csrf: field.form.elements.csrf.value, [field.name]: field.value });
    try {
      const response = await fetch(output.dataset.url, { method: "POST", body, signal, redirect: "error" });
      const judged = response.ok ? await response.json() : { lines: [] };
      if (!signal.aborted) show(judged.lines, judged.score);
    } catch {
      // the judgement is a hint; the form says what is wrong
      if (!signal.aborted) show([]);
    }
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    pending?.abort();
    if (field.value) timer = setTimeout(judge, 400);
    else show([]);
  });
}
