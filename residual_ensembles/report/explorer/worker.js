// Messages in: {network, parts, half, single, images} once for each network, then {id, network,
// steps}, where a step is [module, is deleted], counted from 0. Messages out: {id, image, logits,
// intact} for one image after the other, and {id, milliseconds} after the last. A new id puts an
// end to what is being computed.
const TURN_MS = 8;
const networks = new Map();
let current = null;

// Lets messages in: a timer would wait 4 ms each time.
const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()();
const turn = () =>
  new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(null);
  });

function load({ network, parts, half, single, images }) {
  const [h, w, c] = parts.shape;
  const pixels = new Uint8Array(bytes(images));
  networks.set(network, {
    parts: link(parts, widened(new Uint16Array(bytes(half))), new Float32Array(bytes(single))),
    images: Array.from({ length: pixels.length / (h * w * c) }, (_, i) => ({
      ...{ h, w, c },
      data: Float32Array.from(pixels.subarray(i * h * w * c, (i + 1) * h * w * c)),
    })),
    known: [],
  });
}

// What enters each module of the intact network, and its logits: computed once for each image.
function intact({ parts, images, known }, image) {
  if (!known[image]) {
    const entering = [pass(parts.stem, images[image])];
    for (const module of parts.modules) entering.push(run(module, entering.at(-1)));
    known[image] = { entering, logits: pass(parts.head, entering.at(-1)).data };
  }
  return known[image];
}

// Logits after a lesion, computed from the first step on that differs from the intact network.
function lesioned(network, image, steps) {
  const { entering, logits } = intact(network, image);
  const first = steps.findIndex(([module, gone], position) => gone || module !== position);
  if (first < 0) return logits;
  let y = entering[first];
  for (const [module, gone] of steps.slice(first)) {
    y = (gone ? deleted : run)(network.parts.modules[module], y);
  }
  return pass(network.parts.head, y).data;
}

async function answer({ id, network, steps }) {
  const known = networks.get(network);
  const start = performance.now();
  let last = start;
  for (let image = 0; image < known.images.length; image++) {
    const logits = lesioned(known, image, steps);
    postMessage({ id, image, logits, intact: intact(known, image).logits });
    if (performance.now() - last < TURN_MS) continue;
    await turn();
    if (id !== current) return;
    last = performance.now();
  }
  postMessage({ id, milliseconds: performance.now() - start });
}

onmessage = ({ data }) => {
  if (data.parts) return load(data);
  current = data.id;
  return answer(data);
};
