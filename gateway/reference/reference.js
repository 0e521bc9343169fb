"use strict";
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
};
const main = document.getElementById("main");
let api, key;

const resolve = (schema) => {
  if (schema && schema.$ref) return api.components.schemas[schema.$ref.split("/").pop()] || {};
  return schema || {};
};
const typeName = (schema) => {
  if (!schema) return "any";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const options = schema.anyOf || schema.oneOf;
  if (options) return options.map(typeName).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${typeName(schema.items)}`;
  return [].concat(schema.type || "any").join(" | ");
};
const rows = (schema) => {
  const resolved = resolve(schema);
  const required = new Set(resolved.required || []);
  return Object.entries(resolved.properties || {}).map(([name, one]) =>
    make("tr", {}, make("td", {}, make("code", {}, name + (required.has(name) ? " *" : ""))),
      make("td", {}, typeName(one)), make("td", {}, one.description || "")));
};
const fieldTable = (title, schema) => {
  const found = rows(schema);
  if (!found.length) return "";
  return make("div", {}, make("h4", {}, title), make("table", {}, ...found));
};

const tryOut = (path, method, operation) => {
  const inputs = (operation.parameters || []).map((one) => {
    const input = make("input", { placeholder: one.description || "", "aria-label": one.name });
    return { one, input };
  });
  const content = (operation.requestBody || {}).content || {};
  const json = "application/json" in content;
  const body = make("textarea", { rows: 4, placeholder: "JSON body", "aria-label": "body" });
  const file = make("input", { type: "file", "aria-label": "file" });
  const output = make("pre", { hidden: "" });
  const send = async () => {
    // Relative to this page, since a proxy may put a path before all others.
    let url = path.slice(1);
    const query = new URLSearchParams();
    const headers = {};
    for (const { one, input } of inputs) {
      if (!input.value) continue;
      if (one.in === "path") url = url.replace(`{${one.name}}`, encodeURIComponent(input.value));
      if (one.in === "query") query.set(one.name, input.value);
      if (one.in === "header") headers[one.name] = input.value;
    }
    if (key.value) headers.Authorization = `Bearer ${key.value}`;
    const options = { method: method.toUpperCase(), headers };
    if (file.files.length) {
      options.body = new FormData();
      options.body.append("file", file.files[0]);
    } else if (json && body.value) {
      headers["Content-Type"] = "application/json";
      options.body = body.value;
    }
    output.hidden = false;
    output.textContent = "…";
    try {
      const answer = await fetch(query.size ? `${url}?${query}` : url, options);
      const text = await answer.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON */ }
      output.textContent = `${answer.status} ${answer.statusText}\n${shown.slice(0, 100000)}`;
    } catch (error) { output.textContent = String(error); }
  };
  const lines = inputs.map(({ one, input }) => make("tr", {},
    make("td", {}, make("code", {}, one.name + (one.required ? " *" : "")), ` ${one.in}`),
    make("td", {}, typeName(one.schema)), make("td", {}, one.description || "", input)));
  const parts = [make("table", {}, ...lines)];
  if (json) parts.push(fieldTable("Body", content["application/json"].schema), body);
  if ("multipart/form-data" in content) {
    parts.push(fieldTable("Form", content["multipart/form-data"].schema), file);
  }
  parts.push(make("button", { onclick: send }, "Send"), output);
  return make("div", {}, ...parts);
};

const show = (path, method, operation) => {
  const box = make("details", { id: operation.operationId },
    make("summary", {}, make("b", {}, method.toUpperCase()), path,
      make("span", {}, operation.operationId)));
  box.addEventListener("toggle", () => {
    if (box.dataset.shown) return;
    box.dataset.shown = "1";
    box.append(make("p", {}, operation.description || ""), tryOut(path, method, operation),
      make("h4", {}, "Answers"));
    for (const [status, answer] of Object.entries(operation.responses)) {
      const schema = (Object.values(answer.content || {})[0] || {}).schema;
      box.append(make("details", {}, make("summary", {}, `${status} ${answer.description}`,
        make("span", {}, schema ? typeName(schema) : "")),
        make("table", {}, ...rows(schema))));
    }
  });
  return box;
};

const start = async () => {
  api = await (await fetch("openapi.json")).json();
  key = make("input", { type: "password", placeholder: "API key (stays in this page)",
    "aria-label": "API key" });
  main.replaceChildren(make("h1", {}, `${api.info.title} ${api.info.version}`),
    make("p", {}, api.info.description), make("div", { class: "key" }, key));
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    const { parameters: shared = [], ...operations } = item;
    const named = shared.map((one) => api.components.parameters[one.$ref.split("/").pop()]);
    for (const [method, operation] of Object.entries(operations)) {
      operation.parameters = [...(operation.parameters || []), ...named];
      const tag = (operation.tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(show(path, method, operation));
    }
  }
  for (const [tag, boxes] of groups) main.append(make("h2", {}, tag), ...boxes);
  if (location.hash) {
    const chosen = document.getElementById(location.hash.slice(1));
    if (chosen) { chosen.open = true; chosen.scrollIntoView(); }
  }
};
start().catch((error) => { main.textContent = `The description cannot be read: ${error}`; });
