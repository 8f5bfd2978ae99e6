// The new-task form: as a curl call, kept the same as the form; agents and templates of the
// repository that is chosen.

const form = document.querySelector("form[data-api]");
const box = document.querySelector("[data-curl]");
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function call() {
  const values = new FormData(form);
  const said = (name) => values.get(name)?.trim();
  const body = { prompt: values.get("prompt") };
  for (const name of ["model", "custom_agent", "base_ref", "head_ref"]) if (said(name)) body[name] = said(name);
  if (values.get("create_pull_request")) body.create_pull_request = true;
  const limits = ["minutes", "steps", "tokens", "credits"].filter(said).map((name) => [name, Number(said(name))]);
  if (limits.length) body.limits = Object.fromEntries(limits);
  return [
    `curl ${quoted(`${form.dataset.api}/agents/repos/${values.get("repository")}/tasks`)} \\`,
    `  -H "Authorization: Bearer $GH_TOKEN" \\`,
    `  --json ${quoted(JSON.stringify(body, null, 2))}`,
  ].join("\n");
}

function show() {
  const chosen = form.elements.repository.selectedOptions[0];
  form.elements.base_ref.placeholder = chosen?.dataset.branch ?? "";
  box.querySelector("code").textContent = call();
}

// What depends on the repository comes from the server; the agent that was chosen stays if it can.
let wanted = "";
async function choose() {
  wanted = form.elements.repository.value;
  const asked = wanted;
  const address = new URL(form.action);
  address.search = new URLSearchParams({ part: "choices", repository: asked });
  try {
    const answer = await fetch(address);
    if (!answer.ok || answer.redirected || asked !== wanted) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const agent = form.elements.custom_agent.value;
    form.querySelector("[data-agents]").replaceChildren(...fresh.querySelector("[data-agents]").childNodes);
    if ([...form.elements.custom_agent.options].some((one) => one.value === agent)) form.elements.custom_agent.value = agent;
    form.querySelector("[data-templates]").replaceChildren(...fresh.querySelector("[data-templates]").childNodes);
    enliven();
    show();
  } catch { /* without them the task can be started all the same */ }
}

function enliven() {
  for (const button of $$("[data-use-template]", form)) button.hidden = false;
  for (const name of $$("[data-without-script]", form)) name.hidden = true;
}

if (form && box) {
  box.hidden = false;
  form.addEventListener("input", show);
  form.elements.repository.addEventListener("change", choose);
  form.addEventListener("click", (event) => {
    const use = event.target.closest?.("[data-use-template]");
    if (!use) return;
    const prompt = form.elements.prompt;
    const kept = use.parentElement.querySelector("pre").textContent;
    prompt.focus();
    // As if it were typed, so that it can be undone.
    prompt.select();
    if (!document.execCommand("insertText", false, kept)) prompt.value = kept;
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
    form.elements.template_name.value = use.textContent;
    use.closest("details").open = false;
  });
  // Enter in the name of a template keeps it; it does not start the task.
  form.elements.template_name.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    form.requestSubmit(form.querySelector("button[value=keep]"));
  });
  const first = form.elements.repository.value;
  addEventListener("load", () => { if (form.elements.repository.value !== first) choose(); show(); });
  enliven();
  show();
}
