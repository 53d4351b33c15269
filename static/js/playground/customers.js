// Keeps the page current: fetches it again every three seconds and swaps the part marked data-live.
// Without script the page works all the same and is renewed by reloading it.
"use strict";

const REFRESH_MS = 3000;
const note = document.querySelector("[data-live-note]");
let shown = document.querySelector("[data-live]")?.innerHTML;

function say(text) {
  if (!note || note.textContent === text) return;
  note.hidden = false;
  note.textContent = text;
}

// Whoever is selecting text would lose the selection.
function isBusy(live) {
  const selection = document.getSelection();
  return !!selection && !selection.isCollapsed && live.contains(selection.anchorNode);
}

function swap(live, html) {
  const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  live.innerHTML = html;
  if (focused) live.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

async function refresh() {
  const live = document.querySelector("[data-live]");
  if (!live || isBusy(live)) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const html = page.querySelector("[data-live]")?.innerHTML;
    if (html !== undefined && html !== shown) swap(live, html);
    shown = html ?? shown;
    say("每 3 秒自动更新");
  } catch {
    say("连不上应用，正在重试…");
  }
}

(async function loop() {
  if (!document.hidden) await refresh();
  setTimeout(loop, REFRESH_MS);
})();
