// Keeps the simulator's page current every two seconds, and sends its forms without leaving the page.
// Without script the page works all the same: forms are answered with the page again.
"use strict";

const REFRESH_MS = 2000;
const notice = document.getElementById("notice");
const shown = new Map();
let fading = 0;

function say(text, ok) {
  notice.textContent = text;
  notice.classList.toggle("problem", !ok);
  notice.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { notice.hidden = true; }, 6000);
}

// A panel in which somebody is typing or choosing is left alone until that is done.
function isBusy(panel) {
  const focused = document.activeElement;
  return panel.contains(focused) && /^(INPUT|SELECT)$/.test(focused.tagName);
}

function put(panel, html) {
  const open = new Set([...panel.querySelectorAll("details[open]")].map((item) => item.id));
  const values = new Map([...panel.querySelectorAll("input[id], select[id]")].map((item) => [item.id, item.value]));
  const focused = panel.contains(document.activeElement) ? document.activeElement.closest("details") : null;
  panel.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const [id, value] of values) {
    const item = document.getElementById(id);
    if (item && (item.tagName !== "SELECT" || [...item.options].some((option) => option.value === value))) item.value = value;
  }
  if (focused) document.getElementById(focused.id)?.querySelector("summary")?.focus();
}

async function refresh() {
  try {
    const answer = await fetch(`/page/panels${location.search}`);
    if (!answer.ok) return;
    const panels = await answer.json();
    for (const panel of document.querySelectorAll("[data-panel]")) {
      const html = panels[panel.dataset.panel];
      if (html === shown.get(panel) || isBusy(panel)) continue;
      if (shown.has(panel) || panel.innerHTML !== html) put(panel, html);
      shown.set(panel, html);
    }
  } catch {
    say("模拟企业微信没有响应，正在重试…", false);
  }
}

async function submit(event) {
  const form = event.target;
  if (form.method === "get") return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: "application/json" },
    });
    const said = await answer.json();
    say(said.notice ?? said.message ?? "没有成功", said.ok === true);
    const name = form.querySelector("input[name=name]");
    if (said.ok && name) name.value = "";
    if (form.getAttribute("action") === "/page/sample") location.reload();
  } catch {
    say("模拟企业微信没有响应，请稍后再试", false);
  } finally {
    if (button) button.disabled = false;
  }
  document.activeElement?.blur();
  refresh();
}

document.addEventListener("submit", submit);
(async function loop() {
  if (!document.hidden) await refresh();
  setTimeout(loop, REFRESH_MS);
})();
