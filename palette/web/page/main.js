// The page: pictures come in, an order goes out, results are shown as they come.

import { Editor } from "/page/editor.js";
import { whole, wider } from "/page/frame.js";
import { Mask } from "/page/mask.js";
import { Results } from "/page/results.js";
import { Running } from "/page/running.js";
import * as server from "/page/server.js";
import { drawStrip } from "/page/strip.js";
import { command } from "/page/command.js";

const part = id => document.getElementById(id);
const all = selector => [...document.querySelectorAll(selector)];
const form = part("order");

const state = {
  about: null,
  pictures: [],
  current: null, // of the pictures
  tab: "picture",
  zoom: 0,
  results: new Map(), // by the key of a picture
  answered: false, // whether the answer was chosen by hand
};
const editor = new Editor(() => sayDimensions());
const results = new Results();
const running = new Running(onProgress);

const task = () => state.about.tasks.find(one => one.name === form.task.value);
const result = () => state.results.get(state.current?.key);

function alertOf(text) {
  part("alert").textContent = text ?? "";
  part("alert").hidden = !text;
}

// ---- pictures

async function add(files) {
  alertOf();
  const problems = [];
  for (const [number, file] of files.entries()) {
    const count = files.length > 1 ? `, ${number + 1} of ${files.length}` : "";
    part("adding").textContent = `Adding ${file.name}${count} …`;
    part("adding").hidden = false;
    try {
      await addOne(file);
    } catch (error) {
      problems.push(error.message);
    }
    show();
  }
  part("adding").hidden = true;
  if (problems.length) alertOf(problems.join("\n"));
}

async function addOne(file) {
  const { limits } = state.about;
  if (state.pictures.length >= limits.items) {
    throw new Error(`${file.name}: ${limits.items} pictures are the most at once`);
  }
  if (file.size > limits.upload_mb * 1e6) {
    const size = (file.size / 1e6).toFixed(1);
    throw new Error(`${file.name} has ${size} MB and the limit is ${limits.upload_mb}: make it smaller`);
  }
  const picture = await server.upload(file);
  picture.mask = new Mask(picture.width, picture.height);
  picture.frame = null;
  state.pictures.push(picture);
  frameFor(picture);
  state.current ??= picture;
}

function remove(picture) {
  const place = state.pictures.indexOf(picture);
  state.pictures.splice(place, 1);
  if (state.current === picture) {
    state.current = state.pictures[Math.min(place, state.pictures.length - 1)] ?? null;
  }
  show();
}

// A frame that a task cannot use goes; one that it needs comes.
function frameFor(picture) {
  const border = task()?.hole === "border";
  const beyond = picture.frame?.some((side, i) => (i < 2 ? side < 0 : side > whole(picture)[i]));
  if (border && !beyond) picture.frame = wider(picture);
  if (!border && beyond) picture.frame = null;
}

// ---- what is shown

function show() {
  const { current } = state;
  const found = result();
  const made = found && !found.error;
  part("empty").hidden = Boolean(current);
  part("tabs").hidden = !current;
  part("strip").hidden = !current;
  part("restore").disabled = !current;
  part("restore").hidden = running.active;
  part("restore").textContent = state.pictures.length > 1 ? `Restore ${state.pictures.length} pictures` : "Restore";
  if (!current || (!found && state.tab !== "picture")) state.tab = "picture";
  if (found?.error && state.tab !== "picture") state.tab = "compare";
  if (state.tab === "spread" && made && !found.spread) state.tab = "compare";
  for (const button of all("[data-tab]")) {
    const { tab } = button.dataset;
    button.setAttribute("aria-pressed", tab === state.tab);
    button.disabled = tab !== "picture" && (!found || (tab === "spread" && !found.spread) || (tab === "samples" && !made));
    if (tab === "spread") button.title = button.disabled ? "Of two samples or more" : "";
  }
  for (const tab of ["picture", "compare", "samples", "spread"]) {
    part(tab).hidden = !current || tab !== state.tab || (tab !== "picture" && !made);
  }
  part("failed").hidden = !found?.error || state.tab === "picture";
  part("failed").textContent = found?.error ?? "";
  part("tools").hidden = !current || state.tab !== "picture";
  part("legend").hidden = state.tab !== "spread";
  part("one").hidden = !made;
  drawStrip(part("strip"), state, { select, remove, add: () => part("files").click() });
  if (current) drawCurrent(found);
}

function drawCurrent(found) {
  const { hole } = task();
  for (const id of ["drawing", "size", "undoing"]) part(id).hidden = hole !== "painted";
  part("framing").querySelector("[data-tool]").hidden = hole === "border";
  part("whole").textContent = hole === "border" ? "Reset" : "Whole";
  if (hole !== "painted" && editor.tool !== "frame") editor.tool = "none";
  if (hole === "painted" && editor.tool === "none") editor.tool = "brush";
  for (const button of all("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === editor.tool);
  editor.show(state.current, hole, state.zoom);
  if (found) results.show(found, state.current);
  part("legend-text").textContent = found?.spread ? results.legend : "";
  results.lay(state.tab, state.zoom);
  sayCommand();
}

function select(picture) {
  state.current = picture;
  show();
}

function sayDimensions() {
  const { current } = state;
  if (!current) return;
  const [left, top, right, bottom] = current.frame ?? whole(current);
  const { scale } = task();
  const size = `${right - left} × ${bottom - top}`;
  const to = scale > 1 ? ` → ${(right - left) * scale} × ${(bottom - top) * scale}` : "";
  part("dimensions").textContent = size + to;
  part("whole").disabled = !current.frame;
}

function sayCommand() {
  if (!part("downloads").hidden) part("command").textContent = command(state.about.model, chosen(), state.current, task());
}

// ---- the order

function chosen() {
  const mean = form.answer.value === "mean";
  return {
    task: form.task.value,
    answer: form.answer.value,
    steps: mean ? state.about.defaults.steps : Number(form.steps.value),
    samples: mean ? 1 : Number(form.samples.value),
    seed: Number(form.seed.value),
    format: form.format.value,
  };
}

async function restore() {
  alertOf();
  const { hole } = task();
  try {
    const missing = state.pictures.find(p => hole === "painted" && p.mask.empty && !p.transparent);
    if (missing) {
      select(missing);
      state.tab = "picture";
      show();
      throw new Error(`Paint over what is missing in ${missing.name} first.`);
    }
    const items = [];
    for (const picture of state.pictures) {
      const masked = hole === "painted" && !picture.mask.empty;
      const mask = masked ? await server.uploadMask(await picture.mask.asFile()) : null;
      items.push({ picture: picture.key, mask, frame: picture.frame });
    }
    state.results = new Map();
    state.fresh = true;
    await running.start({ ...chosen(), items });
  } catch (error) {
    alertOf(error.message);
  }
  show();
}

function onProgress(ticket) {
  for (const one of ticket.results.slice(state.results.size)) state.results.set(one.picture, one);
  const done = ticket.results.length;
  if (state.fresh && result()) {
    state.fresh = false;
    if (!result().error) state.tab = "compare"; // else the alert says why, and it can be changed
    part("work").scrollIntoView({ block: "start" }); // on a narrow window it is above
  }
  const made = ticket.results.filter(one => !one.error);
  if (!running.active) {
    part("downloads").hidden = !made.length;
    results.links(ticket.key);
    const failed = done - made.length;
    if (ticket.error) alertOf(ticket.error);
    else if (failed) alertOf(done === 1 ? ticket.results[0].error : `${failed} of ${done} pictures failed: they are marked below.`);
  }
  show();
}

// ---- events

function listen() {
  part("files").addEventListener("change", event => {
    add([...event.target.files]);
    event.target.value = "";
  });
  let inside = 0;
  const dropping = on => (part("dropping").hidden = !on);
  addEventListener("dragenter", event => { if (event.dataTransfer?.types.includes("Files")) dropping(++inside); });
  addEventListener("dragleave", () => dropping((inside = Math.max(0, inside - 1))));
  addEventListener("dragover", event => event.preventDefault());
  addEventListener("drop", event => {
    event.preventDefault();
    dropping((inside = 0));
    add([...event.dataTransfer.files]);
  });
  addEventListener("paste", event => { if (event.clipboardData.files.length) add([...event.clipboardData.files]); });
  addEventListener("keydown", event => {
    if (!(event.ctrlKey || event.metaKey)) return;
    if (event.key === "z" && state.tab === "picture" && !event.target.matches("input")) editor.undo();
    if (event.key === "Enter" && !part("restore").disabled && !running.active) form.requestSubmit();
  });
  addEventListener("resize", () => state.current && show());
  for (const button of all("[data-tab]")) button.addEventListener("click", () => { state.tab = button.dataset.tab; show(); });
  for (const button of all("[data-zoom]")) button.addEventListener("click", () => {
    state.zoom = Number(button.dataset.zoom);
    for (const one of all("[data-zoom]")) one.setAttribute("aria-pressed", one === button);
    show();
  });
  for (const button of all("[data-tool]")) button.addEventListener("click", () => {
    editor.choose(button.dataset.tool === editor.tool && button.dataset.tool === "frame" ? "none" : button.dataset.tool);
    show();
  });
  part("undo").addEventListener("click", () => editor.undo());
  part("clear").addEventListener("click", () => editor.clear());
  part("whole").addEventListener("click", () => { state.current.frame = null; frameFor(state.current); show(); });
  part("dice").addEventListener("click", () => { form.seed.value = Math.floor(Math.random() * 1e6); sayCommand(); });
  part("cancel").addEventListener("click", () => running.cancel());
  form.addEventListener("submit", event => { event.preventDefault(); restore(); });
  form.addEventListener("change", onChoice);
}

function onChoice(event) {
  alertOf();
  if (event?.target.name === "answer") state.answered = true; // then it stays, whatever the task
  if (!state.answered) form.querySelector(`[name="answer"][value="${task().answer}"]`).checked = true;
  part("hint").textContent = task().hint;
  for (const label of all("[data-sample]")) label.hidden = form.answer.value === "mean";
  state.pictures.forEach(frameFor);
  show();
}

function offer() {
  const { about } = state;
  part("model").textContent = `${about.model} · ${about.device}`;
  const { upload_mb, megapixels } = about.limits;
  part("accepted").textContent = `PNG, JPEG, WebP, TIFF, AVIF, up to ${upload_mb} MB and ${megapixels} megapixels each. ` +
    "Nothing is sent anywhere else.";
  for (const one of about.tasks) {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "task", value: one.name });
    label.append(input, one.title);
    part("tasks").append(label);
  }
  part("tasks").querySelector("input").checked = true;
  form.steps.value = about.defaults.steps;
  part("sampler").textContent = about.sampler ? `This model's own sampler: ${about.sampler}.` : "";
  form.steps.max = about.limits.steps;
  form.samples.max = about.limits.samples;
}

listen();
try {
  state.about = await server.model();
  offer();
  onChoice();
} catch (error) {
  alertOf(error.message);
}
