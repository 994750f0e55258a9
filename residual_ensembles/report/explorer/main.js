"use strict";
// The page: one network and one lesion at a time, kept in the address, so that they can be linked.

const byId = (id) => document.getElementById(id);
const study = JSON.parse(byId("study").textContent);
const pixels = Uint8Array.from(atob(byId("images").textContent), (c) => c.charCodeAt(0));
const gallery = new Gallery(byId("gallery"), study.images, pixels, study.class_names);
const worker = new Worker(
  URL.createObjectURL(new Blob([byId("worker").textContent], { type: "text/javascript" })),
);
const loaded = new Set();
// `id` is that of the lesion last asked for; `logits` are what came back for it, by image.
const state = { network: null, lesion: null, picked: null, id: 0, logits: [], intact: [] };
let row;
let histogram;

// The predicted class; the first one where a lesion has left nothing that is a number.
const highest = (logits) => Math.max(logits.indexOf(Math.max(...logits)), 0);
const wrong = (all) =>
  all.filter((logits, i) => highest(logits) !== study.images.labels[i]).length;

// Shows a network. Its weights go to the worker when they are first needed.
function choose(index) {
  state.network = index;
  const network = study.networks[index];
  const { modules } = network.parts;
  row = new Row(byId("row"), modules, { click, swap });
  histogram = new Histogram(byId("histogram"), modules);
  byId(`network-${index}`).checked = true;
  byId("intact").textContent = network.intact;
  const critical = modules.flatMap((module, i) => (module.critical ? [i + 1] : []));
  byId("critical").textContent = critical.join(", ");
  byId("k").max = modules.filter((module) => module.deletable).length;
  byId("k").value = Math.min(byId("k").value, byId("k").max);
  if (loaded.has(index)) return;
  loaded.add(index);
  worker.postMessage({
    network: index,
    parts: network.parts,
    half: byId(`half-${index}`).textContent,
    single: byId(`single-${index}`).textContent,
    images: byId("images").textContent,
  });
}

// Shows a lesion, and asks for what becomes of the images.
function apply(lesion) {
  Object.assign(state, { lesion, picked: null, id: state.id + 1, logits: [], intact: [] });
  row.update(lesion, null);
  byId("lesion").value = String(lesion);
  complain("");
  const { left, all } = histogram.update(lesion.deleted);
  byId("paths-left").textContent = grouped(left);
  byId("paths-all").textContent = grouped(all);
  gallery.wait();
  count();
  byId("status").textContent = "";
  document.body.classList.add("busy");
  worker.postMessage({ id: state.id, network: state.network, steps: lesion.steps });
  remember();
}

function count() {
  const [done, n] = [state.logits.length, study.images.labels.length];
  byId("progress").value = done;
  byId("done").textContent = done;
  byId("wrong").textContent = wrong(state.logits);
  byId("percent").textContent = done ? Math.round((100 * wrong(state.logits)) / done) : "–";
  byId("before").textContent = done === n ? wrong(state.intact) : "…";
}

function finish(milliseconds) {
  const n = study.images.labels.length;
  document.body.classList.remove("busy");
  state.milliseconds = milliseconds;
  byId("status").textContent =
    `${study.networks[state.network].title}, ${state.lesion}: ${wrong(state.logits)} of ${n} ` +
    `images wrong, intact ${wrong(state.intact)}. Paths left: ${byId("paths-left").textContent}.`;
}

worker.onmessage = ({ data }) => {
  if (data.id !== state.id) return;
  if (data.milliseconds !== undefined) {
    finish(data.milliseconds);
    return;
  }
  state.logits[data.image] = data.logits;
  state.intact[data.image] = data.intact;
  gallery.update(data.image, highest(data.logits));
  count();
};
worker.onerror = (event) => complain(`The network cannot run here: ${event.message}`);

// Makes a changed copy of the lesion; what cannot be done is said. Returns whether it was done.
function change(make) {
  try {
    const lesion = Object.assign(new Lesion(state.lesion.modules), {
      order: [...state.lesion.order],
      deleted: new Set(state.lesion.deleted),
    });
    apply(make(lesion) ?? lesion);
    return true;
  } catch (error) {
    complain(error.message);
    return false;
  }
}

function complain(text) {
  byId("problem").textContent = text;
}

function click(position) {
  if (!byId("swaps").checked) {
    change((lesion) => lesion.toggle(lesion.order[position]));
  } else if (state.picked === null || state.picked === position) {
    state.picked = state.picked === position ? null : position;
    row.update(state.lesion, state.picked);
    complain("");
  } else if (!swap(state.picked, position)) {
    state.picked = null;
    row.update(state.lesion, null);
  }
}

function swap(a, b) {
  return change((lesion) => lesion.swap(a, b));
}

// k modules deleted at random, or k random swaps, from the intact network.
function random(kind) {
  const { modules } = study.networks[state.network].parts;
  const lesion = new Lesion(modules);
  const except = byId("except").checked;
  const k = Math.max(1, Math.min(Number(byId("k").value) || 1, Number(byId("k").max)));
  byId("k").value = k;
  const free = modules.flatMap((module, i) => (except && module.critical ? [] : [i]));
  if (kind === "delete") {
    for (const module of drawn(free.filter((i) => modules[i].deletable), k)) lesion.toggle(module);
  } else {
    const pairs = free.flatMap((a) => free.filter((b) => a < b && lesion.fits(a, b)).map((b) => [a, b]));
    for (let i = 0; i < k && pairs.length; i++) lesion.swap(...drawn(pairs, 1)[0]);
  }
  apply(lesion);
}

function remember() {
  const { name } = study.networks[state.network];
  const address = new URLSearchParams({ network: name, lesion: String(state.lesion) });
  history.replaceState(null, "", `#${address}`);
}

// Shows what the address asks for; what cannot be is said, and the intact network shown.
function recall() {
  const address = new URLSearchParams(location.hash.slice(1));
  const named = study.networks.findIndex(({ name }) => name === address.get("network"));
  choose(Math.max(named, 0));
  const { modules } = study.networks[state.network].parts;
  try {
    apply(Lesion.parse(address.get("lesion") ?? "", modules));
  } catch (error) {
    apply(new Lesion(modules));
    complain(error.message);
  }
}

study.networks.forEach((network, index) => {
  byId(`network-${index}`).addEventListener("change", () => {
    choose(index);
    apply(new Lesion(network.parts.modules));
  });
});
for (const mode of ["deletes", "swaps"]) {
  byId(mode).addEventListener("change", () => {
    state.picked = null;
    row.update(state.lesion, null);
  });
}
byId("random-delete").addEventListener("click", () => random("delete"));
byId("random-swap").addEventListener("click", () => random("swap"));
byId("reset").addEventListener("click", () => change(({ modules }) => new Lesion(modules)));
byId("lesion").addEventListener("change", ({ target }) =>
  change(({ modules }) => Lesion.parse(target.value, modules)),
);
for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", ({ newURL }) => {
  // The address of the event: by now `remember` may have written another one.
  if (new URL(newURL).hash.includes("=")) recall(); // else it is an anchor in the page
});
recall();
