// The console's few lines of script: the CSRF token on htmx requests, the dialog that asks, and toasts.
// Every page works without it as plain links and forms.
"use strict";

const TOAST_MS = 8000;
// What offers a way back stays long enough to be reached by key.
const OFFER_MS = 20000;
const token = document.querySelector('meta[name="csrf-token"]')?.content ?? "";

// Both spellings of htmx's events, so that its next major version changes nothing here.
function onHtmx(names, act) {
  for (const name of names) document.addEventListener(name, act);
}

onHtmx(["htmx:configRequest"], (event) => {
  event.detail.headers["X-CSRF-Token"] = token;
  event.detail.headers["X-Requested-With"] = "htmx";
});

// --- Toasts ---
function fade(note) {
  let timer = 0;
  const start = () => { timer = setTimeout(() => note.remove(), note.querySelector("form") ? OFFER_MS : TOAST_MS); };
  const stop = () => clearTimeout(timer);
  note.addEventListener("mouseenter", stop);
  note.addEventListener("mouseleave", start);
  note.addEventListener("focusin", stop);
  note.addEventListener("focusout", start);
  note.querySelector("[data-dismiss]")?.addEventListener("click", () => note.remove());
  start();
}

function say(text) {
  const note = document.querySelector("#note-template").content.firstElementChild.cloneNode(true);
  note.querySelector("p").textContent = text;
  document.querySelector(".toasts").append(note);
  fade(note);
}

for (const note of document.querySelectorAll(".toasts .note")) fade(note);
// Said once: reloading the page must not say it again.
const address = new URL(location.href);
if (address.searchParams.has("notice")) {
  address.searchParams.delete("notice");
  address.searchParams.delete("of");
  history.replaceState(null, "", address);
}

onHtmx(["htmx:responseError", "htmx:response:error"], (event) => {
  let message = "";
  try { message = JSON.parse(event.detail.xhr.responseText).message; } catch { /* not one of our answers */ }
  say(message || "没有成功，请刷新页面后再试");
});
onHtmx(["htmx:sendError", "htmx:error"], () => say("连不上服务器，请检查网络后再试"));

// --- Asking before something is done ---
const dialog = document.querySelector("#ask");

function ask(question, goOn) {
  dialog.querySelector("[data-question]").textContent = question;
  dialog.returnValue = "";
  dialog.showModal();
  dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") goOn(); }, { once: true });
}

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.ask;
  if (!question || event.target.dataset.asked) return;
  event.preventDefault();
  ask(question, () => {
    event.target.dataset.asked = "yes";
    event.target.requestSubmit(event.submitter);
  });
});
onHtmx(["htmx:confirm"], (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  ask(event.detail.question, () => event.detail.issueRequest(true));
});

// --- A form is sent once, however often its button is pressed while the answer is on its way ---
const SENT_MS = 10000;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  // Whoever has stopped the loading may press again.
  setTimeout(() => delete form.dataset.sent, SENT_MS);
});
// The browser's way back may show the page as it was left.
addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
    delete form.dataset.asked;
  }
});

// --- On a phone the navigation stands behind a button ---
const toggle = document.querySelector(".nav-toggle");

function unfold(open) { toggle.setAttribute("aria-expanded", String(open)); }

toggle.addEventListener("click", () => unfold(toggle.ariaExpanded !== "true"));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || toggle.ariaExpanded !== "true") return;
  unfold(false);
  toggle.focus();
});
// It lies over the page: whoever goes on there, by finger or by key, does not want it in the way.
for (const name of ["pointerdown", "focusin"]) {
  document.addEventListener(name, (event) => { if (!event.target.closest(".console-nav")) unfold(false); });
}
// The browser's way back may show the page as it was left.
addEventListener("pagehide", () => unfold(false));

// --- Where one was, after an act that brings the same page back: otherwise the focus and the place on the page are lost ---
const PLACE = "console-place";

function remember(form, label) {
  const action = new URL(form.action).pathname;
  sessionStorage.setItem(PLACE, JSON.stringify({ page: location.pathname, action, label, top: scrollY }));
}

// The same button; else another of the same place, such as 继续 where 暂停 has been.
function buttonOf({ action, label }) {
  const buttons = [...document.querySelectorAll("main form[method=post] button")];
  const path = (button) => new URL(button.form.action).pathname;
  const place = action.slice(0, action.lastIndexOf("/") + 1);
  return buttons.find((button) => button.ariaLabel === label && path(button) === action)
    ?? buttons.find((button) => path(button) === action)
    ?? buttons.find((button) => path(button).startsWith(place));
}

function comeBack() {
  const place = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
  sessionStorage.removeItem(PLACE);
  if (place?.page !== location.pathname || location.hash) return;
  const button = buttonOf(place);
  button?.focus({ preventScroll: true });
  scrollTo(0, place.top);
  // What was moved may stand elsewhere now.
  button?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const hasFields = [...form.elements].some((one) => one.matches("input:not([type=hidden]), select, textarea"));
  if (form.method === "post" && form.closest("main") && !hasFields && !event.defaultPrevented) {
    remember(form, event.submitter?.ariaLabel);
  }
});
// A run that has come to its end renews the page.
onHtmx(["htmx:beforeOnLoad"], (event) => {
  const form = document.activeElement?.closest("main form[method=post]");
  if (form && event.detail.xhr.getResponseHeader("HX-Refresh")) remember(form, document.activeElement.ariaLabel);
});
// Where a form was refused, one begins at what is wrong.
document.querySelector("#problems, [aria-invalid=true]")?.focus();
comeBack();

// --- Lists that are filtered as one types or chooses ---
for (const form of document.querySelectorAll("form[data-filters]")) {
  form.addEventListener("change", () => form.requestSubmit());
}
