// What every page has: theme, copying, times that stay true, keys, drafts. All of it can be missing.

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

function remembered(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}
function remember(key, value) {
  try {
    if (value) localStorage.setItem(key, value); else localStorage.removeItem(key);
  } catch { /* storage is full or forbidden: the page works without */ }
}

export function announce(text) {
  const place = $("#announcer");
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
}

export function toast(text) {
  const shown = document.createElement("div");
  shown.className = "toast";
  shown.textContent = text;
  document.body.append(shown);
  announce(text);
  setTimeout(() => shown.remove(), 2500);
}

const toggle = $("[data-theme-toggle]");
if (toggle) {
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const wanted = dark ? "light" : "dark";
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    if (wanted === system) delete root.dataset.theme; else root.dataset.theme = wanted;
    remember("theme", wanted === system ? "" : wanted);
  });
}

const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];
function ago(at) {
  const passed = Math.max(0, (Date.now() - at) / 1000);
  for (const [unit, seconds] of UNITS) {
    const count = Math.floor(passed / seconds);
    if (count > 0) return unit === "d" && count >= 30 ? null : `${count} ${unit} ago`;
  }
  return "just now";
}
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
export function freshen(within = document) {
  for (const time of $$("time[data-ago], time[data-clock]", within)) {
    const at = new Date(time.dateTime);
    const text = "clock" in time.dataset ? clock.format(at) : ago(at);
    if (text && time.textContent !== text) time.textContent = text;
    time.title ||= whole.format(at);
  }
}
freshen();
setInterval(freshen, 20000);

export function dress(within = document) {
  for (const button of $$("[data-copy]", within)) button.hidden = false;
}
dress();

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const text = $("code", button.parentElement).textContent;
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    getSelection().selectAllChildren($("code", button.parentElement));
    toast("Selected: press Ctrl C");
  }
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset?.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

const keys = $("#keys");
for (const button of $$("[data-keys]")) {
  button.hidden = false;
  button.addEventListener("click", () => keys.showModal());
}

const typing = (element) => element?.matches?.("input, textarea, select, [contenteditable]");
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("textarea")) {
    event.preventDefault();
    event.target.form?.requestSubmit();
    return;
  }
  if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (event.key === "?" && keys) { event.preventDefault(); keys.showModal(); return; }
  if (keys?.open) return;
  // The last one: a page's own comes after the frame's.
  const wanted = $$(`[data-key="${CSS.escape(event.key)}"]`).pop();
  if (wanted) {
    event.preventDefault();
    if (typing(wanted)) wanted.focus(); else wanted.click();
  } else if (event.key === "j" || event.key === "k") {
    step(event.key === "j" ? 1 : -1, event);
  }
});

function step(by, event) {
  const places = $$("[data-row]");
  if (!places.length) return;
  const now = places.indexOf(document.activeElement);
  const next = places[Math.min(places.length - 1, Math.max(0, now + by))];
  event.preventDefault();
  next.focus();
}

// What was typed survives a reload, a lost session and a crash of the browser. It is dropped once
// the server has taken it: when the next page that loads after sending is another one.
for (const form of $$("form[data-draft]")) keepDraft(form);
function keepDraft(form) {
  const key = `draft:${form.dataset.draft}`;
  const sentKey = `${key}:sent`;
  const fields = () => [...form.elements].filter((f) => f.name && !["csrf", "key"].includes(f.name) && f.type !== "submit" && f.type !== "hidden");
  if (remembered(sentKey) && !("returned" in form.dataset)) {
    remember(sentKey, "");
    if (new URLSearchParams(location.search).has("said")) remember(key, "");
  }
  const saved = remembered(key);
  if (saved && !("returned" in form.dataset) && !location.search.includes("prompt=")) {
    let values = {};
    try { values = JSON.parse(saved); } catch { remember(key, ""); }
    for (const field of fields()) {
      if (!(field.name in values)) continue;
      if (field.name === "repository" && location.search.includes("repository=")) continue;
      if (field.type === "checkbox") field.checked = values[field.name] === true;
      else if (field.tagName !== "SELECT" || [...field.options].some((o) => o.value === values[field.name])) field.value = values[field.name];
    }
    const folded = form.closest("details");
    if (folded && $$("textarea", form).some((f) => f.value.trim())) folded.open = true;
    const note = $("[data-draft-note]", form);
    if (note && values.prompt) note.textContent = "Your draft is back";
  }
  form.addEventListener("input", () => {
    const values = Object.fromEntries(fields().map((f) => [f.name, f.type === "checkbox" ? f.checked : f.value]));
    const said = fields().some((f) => f.tagName === "TEXTAREA" && f.value.trim());
    remember(key, said ? JSON.stringify(values) : "");
  });
  form.addEventListener("submit", () => remember(sentKey, "1"));
}
// The page of a started task is another one than the form's.
if (new URLSearchParams(location.search).get("said") === "started") {
  remember("draft:new-task", "");
  remember("draft:new-task:sent", "");
}
// A form that was sent after its session had ended is filled in again once the person is back: the
// pages that log in load no script, any other page ends it. Secrets are not kept.
const KEPT = "kept-form";
const plain = (form) => [...form.elements].filter((f) => f.name && !["hidden", "password"].includes(f.type) && !("secret" in f.dataset));
function takeKept() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT));
    sessionStorage.removeItem(KEPT);
    return kept;
  } catch { return null; }
}
const kept = takeKept();
for (const form of $$("form[data-keep]")) {
  const said = new URLSearchParams(location.search).has("said");
  if (kept?.action === form.action && !said && !("returned" in form.dataset)) {
    const values = new Map(kept.values);
    for (const field of plain(form)) {
      const key = ["radio", "checkbox"].includes(field.type) ? `${field.name}=${field.value}` : field.name;
      if (!values.has(key)) continue;
      if (key === field.name) field.value = values.get(key); else field.checked = values.get(key);
    }
  }
  form.addEventListener("submit", () => {
    const values = plain(form).map((f) => (["radio", "checkbox"].includes(f.type) ? [`${f.name}=${f.value}`, f.checked] : [f.name, f.value]));
    try { sessionStorage.setItem(KEPT, JSON.stringify({ action: form.action, values })); } catch { /* as above */ }
  });
}
// What the address said once should not be said again after a reload.
const here = new URL(location.href);
if (here.searchParams.has("said") || here.searchParams.has("failed")) {
  here.searchParams.delete("said");
  here.searchParams.delete("failed");
  history.replaceState(null, "", here);
}
