// Shows an OpenAPI description. Everything is written as text, never as HTML.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 6;
let description;

function element(name, content = "", className = "") {
  const made = document.createElement(name);
  made.textContent = content;
  if (className) made.className = className;
  return made;
}

function resolved(node) {
  if (!node || !node.$ref) return node || {};
  const steps = node.$ref.replace(/^#\//, "").split("/");
  return steps.reduce((at, step) => at[decodeURIComponent(step).replace(/~1/g, "/").replace(/~0/g, "~")], description);
}

function typeOf(schema) {
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  for (const way of ["oneOf", "anyOf", "allOf"]) {
    if (schema[way]) return `${way} of ${schema[way].length}`;
  }
  const type = schema.type === "array" ? `array of ${typeOf(resolved(schema.items))}` : schema.type || "anything";
  return [type, schema.format && `(${schema.format})`, schema.nullable && "or null"].filter(Boolean).join(" ");
}

// Fields are written when they are opened: schemas refer to themselves.
function fields(schema, depth = 0) {
  const list = element("ul");
  const inner = schema.type === "array" ? resolved(schema.items) : schema;
  const variants = inner.oneOf || inner.anyOf || inner.allOf || [];
  variants.forEach((variant, index) => list.append(field(`variant ${index + 1}`, resolved(variant), false, depth)));
  const required = new Set(inner.required || []);
  for (const [name, value] of Object.entries(inner.properties || {})) {
    list.append(field(name, resolved(value), required.has(name), depth));
  }
  return list;
}

function field(name, schema, required, depth) {
  const item = element("li");
  const line = [element("code", name), " ", element("span", typeOf(schema) + (required ? ", required" : ""), "soft")];
  const inner = schema.type === "array" ? resolved(schema.items) : schema;
  const deeper = inner.properties || inner.oneOf || inner.anyOf || inner.allOf;
  if (deeper && depth < DEEPEST) {
    item.append(lazily(line, () => [fields(schema, depth + 1)]));
  } else {
    item.append(...line);
  }
  if (schema.description) item.append(element("div", schema.description, "soft"));
  return item;
}

function lazily(line, content) {
  const made = element("details");
  const summary = element("summary");
  summary.append(...line);
  made.append(summary);
  made.addEventListener("toggle", () => made.append(...content()), { once: true });
  return made;
}

function contents(content = {}) {
  return Object.entries(content).flatMap(([kind, { schema }]) => {
    const known = resolved(schema);
    return [element("div", `${kind}: ${typeOf(known)}`, "soft"), fields(known)];
  });
}

function parameters(list) {
  const made = element("ul");
  for (const parameter of list.map(resolved)) {
    const item = element("li");
    const schema = resolved(parameter.schema);
    item.append(element("code", parameter.name), " ", element("span", `${parameter.in}, ${typeOf(schema)}${parameter.required ? ", required" : ""}`, "soft"));
    if (parameter.description) item.append(element("div", parameter.description, "soft"));
    made.append(item);
  }
  return made;
}

function details(operation) {
  const parts = [];
  if (operation.description) parts.push(element("p", operation.description));
  if ((operation.parameters || []).length) parts.push(element("h3", "Parameters"), parameters(operation.parameters));
  const body = resolved(operation.requestBody);
  if (body.content) parts.push(element("h3", "Body"), ...contents(body.content));
  parts.push(element("h3", "Responses"));
  for (const [status, found] of Object.entries(operation.responses)) {
    const response = resolved(found);
    const line = [element("code", status), " ", element("span", response.description || "", "soft")];
    parts.push(lazily(line, () => contents(response.content)));
  }
  return parts;
}

function groupOf(path) {
  if (path.startsWith("/agents")) return "Tasks";
  if (/\/agents\/(secrets|variables|organization)|cloud-agent/.test(path)) return "What the agent is given";
  if (path.startsWith("/repos")) return "Repositories";
  return "Server";
}

function shown(groups) {
  const main = document.getElementById("operations");
  for (const [name, operations] of groups) {
    const section = element("section");
    section.append(element("h2", name));
    for (const { path, method, operation } of operations) {
      const line = [element("span", method.toUpperCase(), "method"), element("code", path), " ", element("span", operation.summary || "", "soft")];
      const one = lazily(line, () => details(operation));
      one.dataset.words = `${method} ${path} ${operation.summary || ""}`.toLowerCase();
      section.append(one);
    }
    main.append(section);
  }
}

function filter(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const all = [...document.querySelectorAll("section > details")];
  for (const one of all) one.hidden = !words.every((word) => one.dataset.words.includes(word));
  for (const section of document.querySelectorAll("section")) {
    section.hidden = !section.querySelector("details[data-words]:not([hidden])");
  }
  document.getElementById("count").textContent = `${all.filter((one) => !one.hidden).length} of ${all.length} operations`;
}

async function start() {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`openapi.json: ${answer.status}`);
  description = await answer.json();
  document.getElementById("about").textContent = description.info.description || "";
  const groups = new Map(["Tasks", "What the agent is given", "Repositories", "Server"].map((name) => [name, []]));
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const method of METHODS.filter((name) => operations[name])) {
      groups.get(groupOf(path)).push({ path, method, operation: operations[method] });
    }
  }
  shown(groups);
  const box = document.getElementById("filter");
  box.addEventListener("input", () => filter(box.value));
  filter(box.value);
}

start().catch((error) => {
  document.getElementById("operations").textContent = `The description cannot be shown: ${error.message}`;
});
