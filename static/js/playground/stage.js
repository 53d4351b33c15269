// The playground: asks every second and a half what stands where, and does what is pressed in somebody's place.
// Whose phone it is and since when the guided path runs stand in the address, so that a reload goes on from there.
"use strict";

const setup = JSON.parse(document.getElementById("setup").textContent);
const state = { customer: setup.customer, since: setup.since, scanning: false };
const POLL_MS = 1500;
const REFRESHES = 4;
const KEPT_BUBBLES = 50;
const WORDS_OF = { image: "图片", video: "视频", file: "文件" };
const sidebar = document.getElementById("sidebar");
const problem = document.getElementById("problem");
const shown = {};
let running = 0;
let fresh = null;
let refreshes = 0;

const part = (name) => document.querySelector(`[data-part="${name}"]`);

// The page's address, without asking for it.
function remember() {
  const query = new URLSearchParams({ since: state.since });
  if (setup.rep) query.set("rep", setup.rep);
  if (state.customer) query.set("customer", state.customer);
  history.replaceState(null, "", `/playground?${query}`);
}

function say(text) {
  problem.hidden = !text;
  if (problem.textContent !== text) problem.textContent = text;
}

async function send(method, path, body) {
  const answer = await fetch(`/playground/${path}`, {
    method,
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": setup.csrf },
    body: JSON.stringify(body || {}),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.message || "没有做成，请再试一次");
  return told;
}

// Do what was pressed, then look at once what came of it; a refusal is said in the server's words.
async function attempt(act) {
  try {
    say("");
    await act();
  } catch (error) {
    say(error instanceof TypeError ? "连不上应用，请稍后再试" : error.message);
  }
  await look();
}

// Ask for everything; an answer that a later question has overtaken is dropped.
async function look() {
  const mine = ++running;
  const query = new URLSearchParams({ since: state.since });
  if (state.customer) query.set("customer", state.customer);
  if (state.scanning) query.set("scanning", "1");
  try {
    const answer = await fetch(`/playground/now?${query}`, { headers: { Accept: "application/json" } });
    const told = await answer.json();
    if (mine !== running) return;
    if (!answer.ok) throw new Error(told.message);
    if (problem.dataset.lost) {
      delete problem.dataset.lost;
      say("");
    }
    draw(told);
  } catch (error) {
    if (mine !== running) return;
    problem.dataset.lost = "yes";
    say(error instanceof TypeError || !error.message ? "连不上应用，正在重试…" : error.message);
  }
}

function draw(told) {
  // Opened before the demo had made its members: now there is somebody to log in as.
  if (told.has_members && !setup.rep && !document.querySelector(".reps [data-rep]")) location.reload();
  Object.entries(told.parts).forEach(([name, html]) => swap(name, html));
  const headline = document.getElementById("headline");
  if (headline.textContent !== told.headline) headline.textContent = told.headline;
  const friends = !!document.querySelector('[data-friend="yes"]');
  document.querySelectorAll("[data-composer]").forEach((form) => (form.hidden = !friends || state.scanning));
  document.querySelector('[data-bubbles="customer"]').hidden = state.scanning || !state.customer;
  freshen(told.fresh);
}

// Replace a part that has changed; whoever is typing, choosing or selecting in it is not disturbed.
function swap(name, html) {
  const place = part(name);
  if (shown[name] === html || isBusy(place)) return;
  const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
  const open = [...place.querySelectorAll("details[open]")].map((item) => item.id);
  const atEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 40;
  shown[name] = html;
  place.innerHTML = html; // rendered and escaped by our own server
  open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  if (name === "story" && atEnd) place.scrollTop = place.scrollHeight;
}

function isBusy(place) {
  const active = document.activeElement;
  if (active && place.contains(active) && active.matches("input, select")) return true;
  const selection = document.getSelection();
  return !!selection && !selection.isCollapsed && place.contains(selection.anchorNode);
}

// Have the sidebar look again once something of its profile has changed, as when somebody comes back to it.
// It stays as it is while a sheet is open, so it is asked a few times.
function freshen(told) {
  if (told !== fresh) refreshes = fresh === null ? 0 : REFRESHES;
  fresh = told;
  if (refreshes > 0 && sidebar.contentWindow) {
    refreshes -= 1;
    sidebar.contentWindow.postMessage({ from: "playground" }, location.origin);
  }
}

// The chat of customer and member: texts of people, which WeCom shows to no app, so they stay in this tab.
const chatKey = () => `chat ${state.customer} ${setup.rep}`;

function bubbles() {
  return JSON.parse(sessionStorage.getItem(chatKey()) || "[]");
}

function add(bubble) {
  sessionStorage.setItem(chatKey(), JSON.stringify([...bubbles(), bubble].slice(-KEPT_BUBBLES)));
  drawBubbles();
}

function drawBubbles() {
  const said = state.customer ? bubbles() : [];
  document.querySelectorAll("[data-bubbles]").forEach((place) => {
    place.replaceChildren(...said.map((bubble) => drawn(bubble, bubble.by === place.dataset.bubbles)));
    place.parentElement.scrollTop = place.parentElement.scrollHeight;
  });
}

function drawn(bubble, isMine) {
  const box = document.createElement("div");
  box.className = `bubble ${isMine ? "mine" : "theirs"}`;
  const put = (name, text) => {
    const line = document.createElement("span");
    line.className = name;
    line.textContent = text;
    box.append(line);
  };
  if (bubble.title) put("title", bubble.title);
  put("words", bubble.text);
  return box;
}

function messageOf(params) {
  if (params.msgtype === "text") return { text: params.text.content };
  if (params.msgtype === "news") return { title: params.news.title, text: params.news.desc || params.news.link };
  if (params.msgtype === "miniprogram") return { title: params.miniprogram.title, text: "[小程序]" };
  return { text: `[${WORDS_OF[params.msgtype] || params.msgtype}]` };
}

// What the sidebar sends into the chat comes from its frame and from our own origin, or it is nobody's.
window.addEventListener("message", (event) => {
  if (event.origin !== location.origin || event.source !== sidebar.contentWindow) return;
  const told = event.data || {};
  if (told.from !== "sidebar") return;
  if (told.name === "sendChatMessage") add({ by: "rep", ...messageOf(told.params) });
  if (told.name === "openUserProfile") document.querySelector(".native").open = true;
  setTimeout(look, 300);
});

function openSidebar() {
  const address = `/sidebar?playground=${encodeURIComponent(state.customer)}`;
  const has = !!state.customer && !!setup.rep;
  sidebar.hidden = !has;
  document.getElementById("no-sidebar").hidden = has;
  document.getElementById("alone").hidden = !has;
  document.getElementById("alone").href = address;
  if (has) sidebar.src = address;
  else sidebar.removeAttribute("src");
  drawBubbles();
}

// Another member holds the client: through WeCom's log-in, and back to where the page is now.
function become(userid) {
  const query = new URLSearchParams({ since: state.since, rep: userid });
  if (state.customer) query.set("customer", state.customer);
  location.assign(`/playground/as/${encodeURIComponent(userid)}?${new URLSearchParams({ next: `/playground?${query}` })}`);
}

async function scan(form, config) {
  const body = { config_id: config };
  const known = form.elements.external_userid.value;
  const name = form.elements.name.value.trim();
  if (known) body.external_userid = known;
  else if (name) body.name = name;
  const told = await send("POST", "scan", body);
  state.customer = told.external_userid;
  state.scanning = false;
  form.elements.name.value = "";
  form.elements.name.blur();
  document.activeElement?.blur?.();
  remember();
  if (told.userid !== setup.rep) become(told.userid);
  else openSidebar();
}

const actions = {
  restart: () =>
    attempt(async () => {
      await send("DELETE", "faults");
      const answer = await fetch("/playground/now");
      state.since = (await answer.json()).now;
      state.customer = "";
      state.scanning = false;
      remember();
      openSidebar();
      view("phone");
    }),
  "scan-more": () => attempt(async () => void (state.scanning = true)),
  back: () => attempt(async () => void (state.scanning = false)),
  delete: () => attempt(() => send("POST", "act", { kind: "delete", external_userid: state.customer })),
  native: (pressed) =>
    attempt(() => {
      const kind = pressed.getAttribute("aria-pressed") === "true" ? "unmark" : "mark";
      return send("POST", "act", { kind, external_userid: state.customer, tag_id: pressed.dataset.tag });
    }),
  fault: (pressed) =>
    attempt(() =>
      send("POST", "faults", { name: pressed.dataset.name, on: pressed.getAttribute("aria-pressed") !== "true" }),
    ),
  recover: () => attempt(() => send("DELETE", "faults")),
  view: (pressed) => view(pressed.dataset.view),
};

function view(name) {
  document.querySelector(".columns").dataset.view = name;
  document.querySelectorAll(".view").forEach((item) => item.setAttribute("aria-pressed", String(item.dataset.view === name)));
}

document.addEventListener("click", (event) => {
  const rep = event.target.closest("[data-rep]");
  const pressed = event.target.closest("[data-action]");
  if (rep) {
    event.preventDefault();
    become(rep.dataset.rep);
  } else if (pressed && !pressed.disabled) {
    actions[pressed.dataset.action]?.(pressed);
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  event.preventDefault();
  if (form.dataset.form === "scan") {
    const pressed = event.submitter?.value ? event.submitter : form.querySelector(".code");
    if (pressed) attempt(() => scan(form, pressed.value));
    return;
  }
  const text = form.elements.text.value.trim();
  if (!text) return;
  form.reset();
  add({ by: form.dataset.composer, text });
  if (form.dataset.composer === "customer") attempt(() => send("POST", "act", { kind: "reply", external_userid: state.customer }));
});

remember();
openSidebar();
(async function loop() {
  if (!document.hidden) await look();
  setTimeout(loop, POLL_MS);
})();
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});
