// A large file of a diff is fetched when it is opened.

document.addEventListener("toggle", async (event) => {
  const file = event.target;
  if (!file.open || !file.dataset?.lazy) return;
  const address = file.dataset.lazy;
  delete file.dataset.lazy;
  const note = file.querySelector(".file-note");
  if (note) note.textContent = "Loading …";
  try {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(String(answer.status));
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

// A click on a line's number names the line in the message to the agent.
const ask = document.querySelector("[data-ask]");
if (ask) {
  document.addEventListener("click", (event) => {
    const number = event.target.closest?.(".lines .no");
    const file = number?.closest(".file");
    if (!file || !number.textContent.trim()) return;
    const path = file.querySelector(".path bdi:last-of-type").textContent;
    const removed = number.classList.contains("del") ? " (removed)" : "";
    ask.value += `${ask.value && !ask.value.endsWith("\n") ? "\n" : ""}\`${path}\` line ${number.textContent.trim()}${removed}: `;
    ask.dispatchEvent(new Event("input", { bubbles: true }));
    ask.focus();
  });
  document.documentElement.classList.add("asks");
}
