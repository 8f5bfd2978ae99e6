// One task as it happens: stored entries come drawn and in order, passing ones as text.
// Every entry has its place, so that none is shown twice, whatever the connection does.

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

const box = $("[data-task]");
const flow = $("#flow");
const base = box.dataset.task;
const live = $("[data-live]");
const activity = $("[data-activity]");
const connection = $("[data-connection]");
const toEnd = $("[data-to-end]");
const app = await import($('script[src*="/app.js"]').src);

let last = box.dataset.after || "0-0";
let source = null;
let retry = 0;
let { state } = $("[data-state]").dataset;
const PARTIAL_MOST = 100_000;

const place = (id) => id.split("-").map(Number);
const after = (a, b) => {
  const [[x, y], [u, v]] = [place(a), place(b)];
  return x > u || (x === u && y > v);
};
const nodes = (html) => new DOMParser().parseFromString(html, "text/html").body;

// --- Following the end, or staying where one reads ------------------------------------------------

let following = !box.dataset.found && !$("[data-newer]") && (location.hash === "" || location.hash === "#end");
// The end of the log, not of the page: on a narrow screen the facts come below.
const bottom = () => flow.parentElement.getBoundingClientRect().bottom + scrollY;
const distance = () => bottom() - innerHeight - scrollY;
let own = 0;

function follow() {
  own = performance.now();
  scrollTo({ top: bottom() - innerHeight, behavior: "instant" });
}
function showToEnd() { if (toEnd) toEnd.hidden = following || distance() < 200; }
addEventListener("scroll", () => {
  if (performance.now() - own > 120) following = Math.abs(distance()) < 80;
  showToEnd();
}, { passive: true });
toEnd?.addEventListener("click", () => { following = true; follow(); showToEnd(); });
let due = false;
function grown() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    if (following && !box.dataset.ended) follow();
    showToEnd();
  });
}

// --- Entries --------------------------------------------------------------------------------------

function find(key) { return flow.querySelector(`[data-key-of="${CSS.escape(key)}"]`); }

function add(entry, id) {
  if (!after(id, last)) return;
  last = id;
  if (entry.type === "assistant.retry") for (const message of $$(".message:not([id])", flow)) message.remove();
  if (entry.html) put(nodes(entry.html).querySelector(".entry"), entry.kind, entry.key);
  doing(entry.type);
  if (/state_changed|usage|execution_complete|artifact|user\.message|plan/.test(entry.type)) lookAside();
  grown();
}

function put(fresh, kind, key) {
  $("[data-until-first]")?.remove();
  if (kind === "result") {
    const call = find(key);
    if (call && call !== fresh) { complete(call, fresh); return; }
  }
  // In the log's order: what is still told in passing stands after all that is stored.
  const passing = key && find(key);
  if (passing && !passing.id) passing.remove();
  const home = homeOf(fresh.dataset.within);
  const open = $(":scope > .message:not([id])", home);
  if (open) open.before(fresh); else home.append(fresh);
  app.freshen(fresh);
}

// A sub-agent's entries stand in the call that began it, once that is on the page.
function homeOf(key) { return (key && find(key) && $("[data-inside]", find(key))) || flow; }

// A new connection tells again, from the start, what no stored entry says yet.
function forgetPassing() {
  for (const message of $$(".message:not([id])", flow)) message.remove();
  for (const pre of $$("[data-partial]", flow)) pre.textContent = "";
}

function complete(call, fresh) {
  $("[data-outcome]", call).replaceChildren(...$("[data-outcome]", fresh).childNodes);
  $("[data-result]", call).replaceChildren(...$("[data-result]", fresh).childNodes);
  const [details, result] = [$("details", call), $("details", fresh)];
  const stays = result.open && ("stays" in details.dataset || "failed" in result.dataset);
  if (!stays && !call.contains(document.activeElement)) details.open = false;
}

function output({ key, text }) {
  const pre = find(key) && $("[data-partial]", find(key));
  if (!pre) return;
  const inside = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 40;
  const whole = pre.textContent + text;
  pre.textContent = whole.length > PARTIAL_MOST ? whole.slice(-PARTIAL_MOST) : whole;
  if (inside) pre.scrollTop = pre.scrollHeight;
  grown();
}

function said({ key, text, within }, kind) {
  let message = find(key);
  // What was told in passing may come after the whole: that has a place, and says it already.
  if (message?.id) return;
  if (!message) {
    message = document.createElement("article");
    message.className = "entry message";
    message.dataset.keyOf = key;
    message.innerHTML = '<div class="card said"><div class="who">Agent</div><div class="reasoning" hidden></div><div class="prose"></div></div>';
    homeOf(within).append(message);
  }
  const part = $(kind === "text" ? ".prose" : ".reasoning", message);
  part.hidden = false;
  part.classList.add("passing");
  part.append(text);
  activity.textContent = kind === "text" ? "Writing" : "Thinking";
  grown();
}

const DOING = {
  "session.start": "Preparing the sandbox", "session.resume": "Preparing the sandbox",
  "assistant.turn_start": "Thinking", "tool.execution_start": "Running a tool",
  "tool.execution_complete": "Thinking", "workspace.checkpoint": "Saved",
  "user_input.requested": "Waiting for an answer", "assistant.retry": "Waiting for the model",
};
function doing(type) { if (DOING[type]) activity.textContent = DOING[type]; }

// --- What stands beside the log -------------------------------------------------------------------

let asideDue = null;
let asideAt = 0;
function lookAside(wait = 1200) {
  if (asideDue) return;
  asideDue = setTimeout(async () => {
    asideDue = null;
    asideAt = performance.now();
    try {
      const answer = await fetch(`${base}/side`);
      if (!answer.ok || answer.redirected) return;
      beside(nodes(await answer.text()));
    } catch { /* the next entry tries again */ }
  }, Math.max(150, asideAt ? wait - (performance.now() - asideAt) : 150));
}

function beside(fresh) {
  const side = $("#side");
  const now = $("[data-state]", fresh).dataset;
  if (now.state !== state) {
    state = now.state;
    stateChanged(now.ended, $(".facts .state", fresh).cloneNode(true));
  }
  if (side.contains(document.activeElement)) return;
  side.replaceChildren(...fresh.childNodes);
  app.freshen(side);
}

function stateChanged(ended, pill) {
  pill.classList.add("pill");
  $("[data-pill]").replaceChildren(pill);
  app.announce(`The task is ${state.replaceAll("_", " ")}`);
  box.dataset.ended = ended;
  live.hidden = Boolean(ended) || state === "waiting_for_user" || state === "idle";
  renewForms();
}

// The forms differ by state: they are taken from the page as it is now, and what is typed stays.
async function renewForms() {
  try {
    const answer = await fetch(base);
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const typed = $("#content")?.value ?? "";
    const focused = document.activeElement === $("#content");
    $(".title .actions").replaceWith($(".title .actions", page));
    const [old, fresh] = [$("[data-compose]"), $("[data-compose]", page)];
    if (!old || !fresh) return;
    const [before, now] = [$("textarea", old), $("textarea", fresh)];
    before.placeholder = now.placeholder;
    before.value = typed;
    $("label", old).textContent = $("label", fresh).textContent;
    $("button.primary", old).textContent = $("button.primary", fresh).textContent;
    $(".choices", old)?.remove();
    const choices = $(".choices", fresh);
    if (choices) before.before(choices);
    if (focused) before.focus();
    grown();
  } catch { /* the page can be reloaded by hand */ }
}

// --- The connection -------------------------------------------------------------------------------

// Time passes in a long command too, of which no entry tells.
setInterval(() => { if (source && !document.hidden) lookAside(); }, 5000);

function connect() {
  source?.close();
  source = new EventSource(`${base}/stream?after=${last}`);
  source.onopen = () => { retry = 0; connection.textContent = ""; forgetPassing(); };
  source.addEventListener("entry", (event) => add(JSON.parse(event.data), event.lastEventId));
  source.addEventListener("output", (event) => output(JSON.parse(event.data)));
  source.addEventListener("text", (event) => said(JSON.parse(event.data), "text"));
  source.addEventListener("reasoning", (event) => said(JSON.parse(event.data), "reasoning"));
  source.addEventListener("over", () => { source.close(); source = null; lookAside(0); });
  source.onerror = () => {
    connection.textContent = "· reconnecting …";
    if (source?.readyState !== EventSource.CLOSED) return;
    retry = Math.min(retry + 1, 6);
    setTimeout(connect, 1000 * 2 ** (retry - 1));
  };
}

function stayCurrent() {
  if (!box.dataset.ended) connect();
  // A task that has ended may be taken up by somebody else.
  setInterval(async () => {
    if (source || document.hidden) return;
    lookAside(0);
    if (!box.dataset.ended) connect();
  }, 10000);
}
if (!$("[data-newer]")) stayCurrent();
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => { if (event.persisted && !box.dataset.ended && !$("[data-newer]")) connect(); });

// --- What came before, and what comes after -------------------------------------------------------

let loading = false;
// Both say whether there was anything.
async function older() {
  const link = $("[data-older]");
  if (!link || loading) return false;
  loading = true;
  try {
    const answer = await fetch(`${base}/older?before=${box.dataset.first}`);
    if (!answer.ok || answer.redirected) return false;
    const fresh = nodes(await answer.text());
    const height = document.documentElement.scrollHeight;
    const orphans = $$(":scope > [data-within]", flow);
    flow.prepend(...$$(":scope > .entry", fresh));
    for (const one of orphans) if (homeOf(one.dataset.within) !== flow) homeOf(one.dataset.within).append(one);
    app.freshen(flow);
    scrollBy({ top: document.documentElement.scrollHeight - height, behavior: "instant" });
    box.dataset.first = answer.headers.get("x-first") || box.dataset.first;
    if (!answer.headers.get("x-older")) link.remove();
    return true;
  } catch { return false; } finally { loading = false; }
}
async function newer() {
  const link = $("[data-newer]");
  if (!link || loading) return false;
  loading = true;
  try {
    const answer = await fetch(`${base}/newer?after=${last}`);
    if (!answer.ok || answer.redirected) return false;
    const fresh = nodes(await answer.text());
    for (const one of $$(":scope > .entry", fresh)) put(one, one.classList.contains("result") ? "result" : "", one.dataset.keyOf);
    last = answer.headers.get("x-last") || last;
    if (answer.headers.get("x-newer")) return true;
    link.remove();
    stayCurrent();
    live.hidden = Boolean(box.dataset.ended) || state === "waiting_for_user" || state === "idle";
    renewForms();
    return true;
  } catch { return false; } finally { loading = false; }
}
for (const [name, load] of [["[data-older]", older], ["[data-newer]", newer]]) {
  const link = $(name);
  if (!link) continue;
  link.firstElementChild.addEventListener("click", (event) => { event.preventDefault(); load(); });
  const near = new IntersectionObserver(async (seen) => {
    if (!seen.at(-1).isIntersecting || !(await load()) || !link.isConnected) return;
    // Once more, if what has come is so short that the link is still near.
    near.unobserve(link);
    near.observe(link);
  }, { rootMargin: "600px 0px" });
  near.observe(link);
}

// --- Permalinks and keys --------------------------------------------------------------------------

addEventListener("hashchange", () => { following = false; });
// An address may name an event that is drawn as part of another.
for (let up = $(".found", flow)?.parentElement; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
if (box.dataset.found && !document.getElementById(location.hash.slice(1))) $(".found", flow)?.scrollIntoView({ block: "center" });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select") || $("dialog[open]")) return;
  if (event.key === "End") {
    event.preventDefault();
    following = true;
    follow();
    showToEnd();
  } else if (event.key === "j" || event.key === "k") {
    event.preventDefault();
    following = false;
    step(event.key === "j" ? 1 : -1);
  }
});

// To the next entry, or the one before: what can be opened in it gets the focus, or its link.
function step(by) {
  const places = $$(".entry", flow).map((entry) => $("summary, .at", entry)).filter((one) => one?.checkVisibility());
  const now = places.findIndex((one) => one === document.activeElement);
  const near = places.findIndex((one) => one.getBoundingClientRect().bottom > 80);
  const next = places[now < 0 ? (near < 0 ? places.length - 1 : near) : now + by];
  next?.focus({ preventScroll: true });
  next?.closest(".entry").scrollIntoView({ block: "nearest" });
}
if (following && (!box.dataset.ended || $("[data-older]"))) follow();
showToEnd();
