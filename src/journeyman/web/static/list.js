// The list of tasks looks again by itself, and keeps what is chosen and where the focus is.

const LOOK_SECONDS = 4;
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
let etag = "";

function bulk() {
  const form = document.querySelector("#list form");
  if (!form) return;
  const all = form.querySelector("[data-all]");
  const label = form.querySelector("[data-chosen]");
  const boxes = $$(".row > input", form);
  const verbs = $$("button[name=verb]", form);
  all.hidden = false;
  const count = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    label.textContent = chosen ? `${chosen} chosen` : "Choose";
    for (const verb of verbs) verb.disabled = !chosen;
  };
  all.onchange = () => { for (const box of boxes) box.checked = all.checked; count(); };
  form.onchange = (event) => { if (event.target !== all) count(); };
  form.onsubmit = (event) => {
    const chosen = boxes.filter((box) => box.checked).length;
    if (event.submitter?.value === "cancel" && !confirm(`Cancel ${chosen} task${chosen === 1 ? "" : "s"}? What was done so far is kept.`)) event.preventDefault();
  };
  count();
}

async function look() {
  if (document.hidden) return;
  const address = new URL(location.href);
  address.searchParams.set("part", "list");
  let answer;
  try {
    answer = await fetch(address, { headers: etag ? { "If-None-Match": etag } : {} });
  } catch { return; }
  if (answer.status === 304 || !answer.ok || answer.redirected) return;
  etag = answer.headers.get("etag") || "";
  const list = document.querySelector("#list");
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#list");
  if (!fresh || fresh.innerHTML === list.innerHTML) return;
  const chosen = new Set($$(".row > input:checked", list).map((box) => box.name));
  const active = document.activeElement;
  const mark = list.contains(active) ? { row: active.closest(".row")?.id, selector: active.matches("[data-row]") ? "[data-row]" : `[name="${active.name}"]` } : null;
  list.replaceWith(fresh);
  for (const box of $$(".row > input", fresh)) box.checked = chosen.has(box.name);
  if (mark?.row) document.getElementById(mark.row)?.querySelector(mark.selector)?.focus();
  bulk();
  const app = await import(document.querySelector('script[src*="/app.js"]').src);
  app.freshen(fresh);
  app.dress(fresh);
}

document.addEventListener("keydown", (event) => {
  const chosen = document.activeElement?.closest("[data-row]");
  if (event.key === "x" && chosen) chosen.closest(".row").querySelector("input")?.click();
});

bulk();
setInterval(look, LOOK_SECONDS * 1000);
document.addEventListener("visibilitychange", look);
