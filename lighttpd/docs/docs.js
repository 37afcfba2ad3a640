// docs: shows /openapi.json, and lets one try what is a GET. No library; nothing comes from another
// host. What the document says is put in as text only, never as HTML.
"use strict";

const METHODS = ["get", "head", "post", "put", "patch", "delete", "options"];
const DEPTH_MAX = 12; // of schemas that are shown
const PARTS_MAX = 1000; // of a schema that are shown: those that refer to each other multiply
const SHOWN_MAX = 200000; // characters of a reply; browsers get slow beyond

const byId = (id) => document.getElementById(id);

// element("p", { class: "x" }, "text", otherElement...): null and undefined children are left out.
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// What is percent-encoded wrongly stays as it is: an address may say anything.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    return text;
  }
}

// --- schemas ---

// Follows "#/components/schemas/Error".
function resolve(api, schema) {
  for (let hops = 0; schema && schema.$ref && hops < DEPTH_MAX; hops++) {
    const path = schema.$ref.startsWith("#/") ? schema.$ref.slice(2).split("/") : [];
    schema = path.reduce((at, key) => at && at[decoded(key).replace(/~1/g, "/").replace(/~0/g, "~")], api);
  }
  return typeof schema === "object" && schema ? schema : {};
}

function typeOf(schema) {
  const type = schema.type || (schema.properties ? "object" : schema.items ? "array" : undefined);
  if (Array.isArray(type)) return type.join(" or ");
  return type || (schema.enum || "const" in schema ? "" : "any");
}

// "integer, at least 0", "one of "a", "b""
function typeWords(schema) {
  const words = [typeOf(schema)];
  if (schema.format) words.push(schema.format);
  if ("const" in schema) words.push("always " + short(schema.const));
  if (schema.enum) words.push("one of " + schema.enum.map(short).join(", "));
  if (schema.minimum !== undefined) words.push("at least " + schema.minimum);
  if (schema.maximum !== undefined) words.push("at most " + schema.maximum);
  if (schema.pattern) words.push("like " + schema.pattern);
  return words.filter(Boolean).join(", ");
}

function short(value) {
  const text = JSON.stringify(value);
  return text.length > 60 ? text.slice(0, 57) + "\u2026" : text;
}

// `view` is { api, left }: how many parts may still be shown. `above` are the schemas that this one is
// inside of: what stands there is not shown again in itself.
function schemaRow(view, name, part, isOptional, above) {
  if (view.left-- <= 0) return null;
  const schema = resolve(view.api, part), isAgain = above.includes(schema);
  return element("li", {},
    element("span", { class: "name" }, name), " ",
    element("span", { class: "dim" }, typeWords(schema) + (isAgain ? ", as above" : "") + (isOptional ? ", optional" : "")),
    schema.description && !isAgain ? element("div", { class: "dim" }, schema.description) : null,
    isAgain ? null : schemaParts(view, schema, above));
}

// The members of an object, or what the elements of an array are; null where there is nothing to say.
function schemaParts(view, schema, outside) {
  const above = [...outside, schema];
  if (above.length > DEPTH_MAX) return null;
  const rows = Object.entries(schema.properties || {}).map(([name, part]) =>
    schemaRow(view, name, part, Boolean(schema.required) && !schema.required.includes(name), above));
  if (typeof schema.items === "object") rows.push(schemaRow(view, "each", schema.items, false, above));
  if (typeof schema.additionalProperties === "object") {
    rows.push(schemaRow(view, "any other", schema.additionalProperties, false, above));
  }
  for (const part of schema.allOf || []) rows.push(schemaRow(view, "also", part, false, above));
  for (const part of schema.anyOf || schema.oneOf || []) rows.push(schemaRow(view, "or", part, false, above));
  return rows.length ? element("ul", {}, ...rows) : null;
}

function showSchema(api, part) {
  const schema = resolve(api, part);
  const list = element("ul", { class: "schema" }, element("li", {},
    element("span", { class: "dim" }, typeWords(schema)),
    schema.description ? element("div", { class: "dim" }, schema.description) : null,
    schemaParts({ api, left: PARTS_MAX }, schema, [])));
  return list;
}

// A value as the schema describes it.
function example(view, part, outside = []) {
  const schema = resolve(view.api, part);
  if ("example" in schema) return schema.example;
  if (schema.examples && schema.examples.length) return schema.examples[0];
  for (const key of ["const", "default"]) if (key in schema) return schema[key];
  if (schema.enum) return schema.enum[0];
  if (view.left-- <= 0 || outside.includes(schema) || outside.length > DEPTH_MAX) return null;
  const above = [...outside, schema];
  const choice = (schema.anyOf || schema.oneOf || [])[0];
  if (choice) return example(view, choice, above);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((one) => example(view, one, above)));
  const type = Array.isArray(schema.type) ? schema.type[0] : typeOf(schema);
  switch (type) {
    case "object":
      return Object.fromEntries(Object.entries(schema.properties || {})
        .map(([name, one]) => [name, example(view, one, above)]));
    case "array": return typeof schema.items === "object" ? [example(view, schema.items, above)] : [];
    case "integer": case "number": return schema.minimum || 1;
    case "boolean": return true;
    case "null": return null;
    case "string": return "text";
    default: return {};
  }
}

// --- an operation ---

function parameterTable(api, operation) {
  const rows = (operation.parameters || []).map((parameter) => {
    const schema = resolve(api, parameter.schema);
    return element("tr", {},
      element("td", { class: "mono" }, parameter.name),
      element("td", {}, parameter.in + (parameter.required ? ", required" : "")),
      element("td", {}, typeWords(schema),
        parameter.description ? element("p", {}, parameter.description) : null));
  });
  if (!rows.length) return [];
  const head = element("tr", {}, ...["Name", "Where", "What"].map((text) => element("th", { scope: "col" }, text)));
  return [element("h3", {}, "Parameters"),
    element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)))];
}

// The shape of a body and an example of it, side by side.
function showContent(api, content) {
  const types = Object.entries(content || {}).filter(([, media]) => media.schema);
  return types.map(([type, media]) => element("div", { class: "sides" },
    element("div", {}, element("h4", {}, type), showSchema(api, media.schema)),
    element("div", {}, element("h4", {}, "Example"),
      element("pre", { tabindex: "0" }, JSON.stringify(example({ api, left: PARTS_MAX }, media.schema), null, 2)))));
}

function requestBody(api, operation) {
  if (!operation.requestBody) return [];
  const parts = showContent(api, operation.requestBody.content);
  return [element("h3", {}, "Body" + (operation.requestBody.required ? ", required" : "")),
    ...(parts.length ? parts : [element("p", { class: "dim" }, "Any: the service decides.")])];
}

function replies(api, operation) {
  const statuses = Object.keys(operation.responses || {})
    .sort((a, b) => a.replace(/X/g, "~").localeCompare(b.replace(/X/g, "~")));
  return [element("h3", {}, "Replies"), ...statuses.map((status) => {
    const reply = operation.responses[status];
    const line = [element("span", { class: "status " + (status[0] < 4 ? "good" : "bad") }, status),
      element("span", {}, reply.description || "")];
    const parts = showContent(api, reply.content);
    if (!parts.length) return element("p", { class: "reply" }, ...line);
    return element("details", { class: "reply", open: status[0] === "2" }, element("summary", {}, ...line), ...parts);
  })];
}

// --- trying it ---

// A {rest} of the path keeps its slashes and may be empty; the document says it in words alone.
function isRest(parameter) {
  return parameter.in === "path" && /^The rest of the path/.test(parameter.description || "");
}

function encode(parameter, value) {
  return isRest(parameter) ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
}

// The request that a form makes: { url, headers }.
function requestOf(path, fields, query) {
  const pairs = query ? [query.replace(/^\?/, "")] : [];
  const headers = {};
  let url = path;
  for (const { parameter, input } of fields) {
    const value = input.value;
    if (parameter.in === "path") {
      if (value !== "" || isRest(parameter)) url = url.replace("{" + parameter.name + "}", () => encode(parameter, value));
    } else if (value === "") continue;
    else if (parameter.in === "query") pairs.unshift(encodeURIComponent(parameter.name) + "=" + encode(parameter, value));
    else headers[parameter.name] = value;
  }
  return { url: url + (pairs.length ? "?" + pairs.join("&") : ""), headers };
}

const quote = (text) => "'" + text.replace(/'/g, "'\\''") + "'";

function curlOf(request) {
  const fields = Object.entries(request.headers).map(([name, value]) => " -H " + quote(name + ": " + value));
  return "curl -s" + fields.join("") + " " + quote(location.origin + request.url);
}

// JSON is laid out anew only where that loses nothing: 12.50 and long numbers stay as they came.
function layOut(text) {
  let out = "", depth = 0, inString = false;
  const line = () => "\n" + "  ".repeat(depth);
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inString) {
      out += c;
      if (c === "\\") out += text[++i] || "";
      else if (c === '"') inString = false;
    } else if (c === '"') { inString = true; out += c; }
    else if (c === "{" || c === "[") {
      const end = /^\s*[}\]]/.exec(text.slice(i + 1, i + 40));
      if (end) { out += c + end[0].trim(); i += end[0].length; } else { depth++; out += c + line(); }
    } else if (c === "}" || c === "]") { depth--; out += line() + c; }
    else if (c === ",") out += c + line();
    else if (c === ":") out += ": ";
    else if (!/\s/.test(c)) out += c;
  }
  return out;
}

async function send(request, result) {
  const begin = performance.now();
  result.replaceChildren(element("p", { class: "dim" }, "Waiting\u2026"));
  try {
    const reply = await fetch(request.url, { headers: request.headers, cache: "no-store" });
    let text = await reply.text();
    const took = Math.round(performance.now() - begin);
    if (/json/.test(reply.headers.get("content-type") || "")) text = layOut(text);
    if (text.length > SHOWN_MAX) text = text.slice(0, SHOWN_MAX) + "\n\u2026";
    const fields = [...reply.headers].map(([name, value]) => name + ": " + value).join("\n");
    result.replaceChildren(
      element("p", {}, element("span", { class: "status " + (reply.ok ? "good" : "bad") }, String(reply.status)),
        " " + reply.statusText + ", " + took + " ms"),
      element("pre", { tabindex: "0", "aria-label": "Body" }, text || "(no body)"),
      element("details", {}, element("summary", { class: "dim" }, "Header fields"), element("pre", { tabindex: "0" }, fields)));
  } catch (error) {
    result.replaceChildren(element("p", { class: "status bad" }, "No reply: " + error.message));
  }
}

function tryIt(api, path, operation) {
  const id = "try-" + operation.operationId;
  const field = (label, input) => element("div", { class: "field" }, element("label", { for: input.id }, label), input);
  const fields = (operation.parameters || []).map((parameter, index) => {
    const isInt = resolve(api, parameter.schema).type === "integer";
    const input = element("input", { id: id + "-" + index, autocomplete: "off", spellcheck: "false",
      required: parameter.required && !isRest(parameter),
      inputmode: isInt ? "numeric" : undefined, pattern: isInt ? "-?[0-9]+" : undefined,
      title: isInt ? "a whole number" : undefined, placeholder: parameter.in === "path" && isInt ? "1" : undefined });
    return { parameter, input };
  });
  const query = element("input", { id: id + "-query", autocomplete: "off", spellcheck: "false", placeholder: "name=value&\u2026" });
  const result = element("div", { class: "result", "aria-live": "polite" });
  const curl = element("pre", { tabindex: "0", "aria-label": "The same with curl" });
  const form = element("form", {},
    ...fields.map(({ parameter, input }) => field(parameter.name + " (" + parameter.in + ")", input)),
    field("query", query), element("div", {}, element("button", {}, "Send")), curl);
  const request = () => requestOf(path, fields, query.value);
  const update = () => { curl.textContent = curlOf(request()); };
  form.addEventListener("input", update);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    await send(request(), result);
    button.disabled = false;
  });
  update();
  return [element("h3", {}, "Try it"), form, result];
}

// --- the page ---

// What is inside is made when it is opened first: a thousand routes stay quick.
function showOperation(api, path, method, operation) {
  const inside = element("div", { class: "inside" });
  const details = element("details", { class: "operation", id: operation.operationId },
    element("summary", {}, element("span", { class: "method " + method }, method.toUpperCase()),
      element("span", { class: "path" }, path), element("span", { class: "words" }, operation.summary || "")),
    inside);
  details.addEventListener("toggle", () => {
    if (!details.open || inside.firstChild) return;
    if (operation.description) inside.append(element("p", {}, operation.description));
    inside.append(...parameterTable(api, operation), ...requestBody(api, operation), ...replies(api, operation));
    if (method === "get") inside.append(...tryIt(api, path, operation));
  });
  return details;
}

function operationsOf(api) {
  const all = [];
  for (const [path, item] of Object.entries(api.paths || {})) {
    for (const method of METHODS) {
      if (item[method]) all.push({ path, method, operation: item[method], tag: (item[method].tags || ["other"])[0] });
    }
  }
  return all;
}

function show(api) {
  const all = operationsOf(api);
  const sections = [];
  byId("title").replaceChildren(api.info.title, element("span", { class: "version" }, api.info.version));
  byId("about").textContent = api.info.description || "";
  document.title = api.info.title;
  for (const tag of [...new Set(all.map((one) => one.tag))]) {
    const links = element("ul"), section = element("section", {}, element("h2", { id: "group-" + tag }, tag));
    const group = element("div", {}, element("h2", {}, tag), links);
    const rows = all.filter((one) => one.tag === tag).map(({ path, method, operation }) => {
      const details = showOperation(api, path, method, operation);
      const link = element("li", {}, element("a", { href: "#" + operation.operationId },
        element("span", { class: "method " + method }, method.toUpperCase()), element("span", { class: "path" }, path)));
      section.append(details);
      links.append(link);
      return { details, link, text: (method + " " + path + " " + (operation.summary || "")).toLowerCase() };
    });
    byId("index").append(group);
    byId("content").append(section);
    sections.push({ group, section, rows });
  }
  byId("filter").addEventListener("input", (event) => filter(sections, event.target.value.toLowerCase().trim()));
  window.addEventListener("hashchange", openNamed);
  openNamed();
}

function filter(sections, words) {
  for (const { group, section, rows } of sections) {
    let some = false;
    for (const row of rows) {
      const isShown = words.split(/\s+/).every((word) => row.text.includes(word));
      row.details.hidden = row.link.hidden = !isShown;
      some = some || isShown;
    }
    group.hidden = section.hidden = !some;
  }
}

function openNamed() {
  const named = byId(decoded(location.hash.slice(1)));
  if (!named || !named.matches("details.operation")) return;
  named.open = true;
  named.scrollIntoView();
  named.querySelector("summary").focus({ preventScroll: true });
}

function tell(text) {
  byId("state").textContent = text;
  byId("state").hidden = !text;
}

async function start() {
  tell("Loading\u2026");
  try {
    const reply = await fetch("/openapi.json");
    if (reply.status === 404) return tell("This gateway does not describe itself: its file has no route \"GET /openapi.json\": \"builtin:openapi\".");
    if (!reply.ok) return tell("/openapi.json is answered " + reply.status + ".");
    const api = await reply.json();
    tell("");
    show(api);
  } catch (error) {
    tell("/openapi.json cannot be read: " + error.message);
  }
}

start();
