// The new-task form as a curl call, kept the same as the form.

const form = document.querySelector("form[data-draft='new-task']");
const box = document.querySelector("[data-curl]");

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function call() {
  const values = new FormData(form);
  const body = { prompt: values.get("prompt") };
  for (const name of ["model", "base_ref", "head_ref"]) if (values.get(name)?.trim()) body[name] = values.get(name).trim();
  if (values.get("create_pull_request")) body.create_pull_request = true;
  const repository = values.get("repository");
  return [
    `curl ${quoted(`${form.dataset.api}/agents/repos/${repository}/tasks`)} \\`,
    `  -H "Authorization: Bearer $GH_TOKEN" \\`,
    `  --json ${quoted(JSON.stringify(body, null, 2))}`,
  ].join("\n");
}

function show() {
  const chosen = form.elements.repository.selectedOptions[0];
  form.elements.base_ref.placeholder = chosen?.dataset.branch ?? "";
  box.querySelector("code").textContent = call();
}

if (form && box) {
  box.hidden = false;
  form.addEventListener("input", show);
  addEventListener("load", show);
  show();
}
