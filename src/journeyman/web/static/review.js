// A large file of a diff is fetched when it is opened; a line's number leads to a comment on it.

document.addEventListener("toggle", async (event) => {
  const file = event.target;
  if (!file.open || !file.dataset?.lazy) return;
  const address = file.dataset.lazy;
  delete file.dataset.lazy;
  const note = file.querySelector(".file-note");
  if (note) note.textContent = "Loading …";
  try {
    const answer = await fetch(address);
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    note?.replaceWith(...page.body.childNodes);
  } catch {
    file.dataset.lazy = address;
    if (note) note.textContent = "It could not be loaded. Close it and open it again.";
  }
}, true);

// A file that the tree leads to is opened first.
function open() {
  const file = location.hash.startsWith("#file-") && document.getElementById(location.hash.slice(1));
  if (file) file.querySelector("details").open = true;
}
addEventListener("hashchange", open);
open();

// --- Files one after the other --------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.key !== "n" && event.key !== "N") return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  const files = [...document.querySelectorAll(".file > details > summary")];
  const now = files.indexOf(document.activeElement);
  const next = files[now + (event.key === "n" ? 1 : -1)];
  next?.focus();
  next?.closest(".file").scrollIntoView({ block: "start" });
});

// --- Comments -------------------------------------------------------------------------------------

const filePath = (file) => file.querySelector("[data-path]").textContent;

// Unified: the old and the new number; side by side: a number before each half.
function place(number) {
  const cells = [...number.parentElement.children];
  const removed = number.classList.contains("del") || (number.closest(".split") ? cells.indexOf(number) < 2 : cells.indexOf(number) === 0);
  return { line: number.textContent.trim(), side: removed ? "LEFT" : "RIGHT" };
}

function comment(number, box) {
  const { line, side } = place(number);
  const form = box.querySelector("form");
  const row = document.createElement("tr");
  row.className = "notes";
  row.innerHTML = '<td colspan="4"></td>';
  let after = number.parentElement;
  while (after.nextElementSibling?.matches(".notes")) after = after.nextElementSibling;
  const former = box.closest("tr.notes");
  after.after(row);
  row.firstElementChild.append(box);
  former?.remove();
  form.elements.line.value = line;
  form.elements.side.value = side;
  box.open = true;
  const close = box.querySelector("[data-close]");
  close.hidden = false;
  form.elements.body.focus();
}

const ask = document.querySelector("[data-ask]");
document.addEventListener("click", (event) => {
  const close = event.target.closest?.("[data-close]");
  if (close) {
    const [box, row] = [close.closest("[data-comment]"), close.closest("tr.notes")];
    box.open = false;
    close.hidden = true;
    close.closest(".file").querySelector(":scope > details").append(box);
    row?.remove();
    return;
  }
  const number = event.target.closest?.(".lines .no");
  const file = number?.closest(".file");
  if (!file || !number.textContent.trim()) return;
  const box = file.querySelector("[data-comment]");
  if (box) { comment(number, box); return; }
  if (!ask) return;
  const { line, side } = place(number);
  const removed = side === "LEFT" ? " (before the change)" : "";
  ask.value += `${ask.value && !ask.value.endsWith("\n") ? "\n" : ""}\`${filePath(file)}\` line ${line}${removed}: `;
  ask.dispatchEvent(new Event("input", { bubbles: true }));
  ask.focus();
});
if (ask || document.querySelector("[data-comment]")) document.documentElement.classList.add("asks");
