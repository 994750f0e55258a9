"use strict";
// The forward pass of a network, in the worker. An activation is {h, w, c, data}: rows, columns,
// channels, and their values, channels last. What comes in is never changed,
// since the intact network's activations are kept and used again.

function bytes(base64) {
  const text = atob(base64);
  const result = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) result[i] = text.charCodeAt(i);
  return result.buffer;
}

const EXPONENTS = Float64Array.from({ length: 31 }, (_, e) => 2 ** (Math.max(e, 1) - 25));

// float16 to float32; infinities are never written (operations.py).
function widened(half) {
  return Float32Array.from(half, (bits) => {
    const exponent = (bits >> 10) & 31;
    const fraction = (bits & 1023) + (exponent ? 1024 : 0);
    return (bits & 32768 ? -1 : 1) * fraction * EXPONENTS[exponent];
  });
}

// Gives each operation its weights, in the order in which exported_network.py wrote them.
function link(parts, half, single) {
  let h = 0;
  let s = 0;
  const halves = (n) => half.subarray(h, (h += n));
  const singles = (n) => single.subarray(s, (s += n));
  const take = {
    conv: (op) => [halves(op.kernel.reduce((a, b) => a * b))],
    affine: (op) => [singles(op.channels), singles(op.channels)],
    dense: (op) => [halves(op.shape[0] * op.shape[1]), singles(op.shape[1])],
  };
  const all = parts.modules.flatMap((m) => [...m.residual, ...m.shortcut, ...m.after]);
  for (const op of [...parts.stem, ...all, ...parts.head]) op.weights = take[op.op]?.(op) ?? [];
  return parts;
}

function activation(h, w, c) {
  return { h, w, c, data: new Float32Array(h * w * c) };
}

const RUN = {
  // Padding "same" as TensorFlow has it: what is odd goes below and to the right.
  conv(y, op) {
    const [kh, kw, , filters] = op.kernel;
    const z = activation(Math.ceil(y.h / op.stride), Math.ceil(y.w / op.stride), filters);
    const top = Math.max((z.h - 1) * op.stride + kh - y.h, 0) >> 1;
    const left = Math.max((z.w - 1) * op.stride + kw - y.w, 0) >> 1;
    const values = new Float64Array(kh * kw * y.c);
    const positions = new Int32Array(kh * kw * y.c);
    for (let oy = 0, o = 0; oy < z.h; oy++) {
      for (let ox = 0; ox < z.w; ox++, o += filters) {
        const n = inputs(y, op, oy * op.stride - top, ox * op.stride - left, values, positions);
        weigh(op.weights[0], values, positions, n, z.data.subarray(o, o + filters));
      }
    }
    return z;
  },
  affine(y, op) {
    const [scale, offset] = op.weights;
    const z = activation(y.h, y.w, y.c);
    for (let i = 0; i < z.data.length; ) {
      for (let c = 0; c < y.c; c++, i++) z.data[i] = y.data[i] * scale[c] + offset[c];
    }
    return z;
  },
  relu(y) {
    // What is not a number stays so, as in Python: a diverged network has no prediction.
    return { ...y, data: y.data.map((value) => (value <= 0 ? 0 : value)) };
  },
  pool(y, op) {
    const z = activation(Math.floor(y.h / op.size), Math.floor(y.w / op.size), y.c);
    z.data.fill(-Infinity);
    for (let iy = 0; iy < z.h * op.size; iy++) {
      for (let ix = 0; ix < z.w * op.size; ix++) {
        const o = (Math.floor(iy / op.size) * z.w + Math.floor(ix / op.size)) * y.c;
        const i = (iy * y.w + ix) * y.c;
        for (let c = 0; c < y.c; c++) z.data[o + c] = Math.max(z.data[o + c], y.data[i + c]);
      }
    }
    return z;
  },
  mean(y) {
    const sums = new Float64Array(y.c);
    for (let i = 0; i < y.data.length; i++) sums[i % y.c] += y.data[i];
    return { h: 1, w: 1, c: y.c, data: Float32Array.from(sums, (sum) => sum / (y.h * y.w)) };
  },
  dense(y, op) {
    const [kernel, bias] = op.weights;
    const sums = Float64Array.from(bias);
    for (let i = 0, k = 0; i < y.data.length; i++) {
      for (let o = 0; o < sums.length; o++) sums[o] += y.data[i] * kernel[k++];
    }
    return { h: 1, w: 1, c: sums.length, data: Float32Array.from(sums) };
  },
};

// Collects what a pixel of the output sees: values that are not zero (after a ReLU half of them
// are), and where their weights begin. Returns how many.
function inputs(y, op, top, left, values, positions) {
  const [kh, kw, channels, filters] = op.kernel;
  let n = 0;
  for (let ky = Math.max(0, -top); ky < kh && top + ky < y.h; ky++) {
    for (let kx = Math.max(0, -left); kx < kw && left + kx < y.w; kx++) {
      const from = ((top + ky) * y.w + left + kx) * channels;
      const position = (ky * kw + kx) * channels * filters;
      for (let c = 0; c < channels; c++) {
        const value = y.data[from + c];
        if (value === 0) continue;
        values[n] = value;
        positions[n++] = position + c * filters;
      }
    }
  }
  return n;
}

// Adds to `sums`, one for each filter, values times weights; by fours, which is twice as fast.
function weigh(kernel, values, positions, n, sums) {
  const filters = sums.length;
  let i = 0;
  for (; i + 3 < n; i += 4) {
    const [a, b, c, d] = [values[i], values[i + 1], values[i + 2], values[i + 3]];
    const [p, q, r, s] = [positions[i], positions[i + 1], positions[i + 2], positions[i + 3]];
    for (let f = 0; f < filters; f++) {
      sums[f] += a * kernel[p + f] + b * kernel[q + f] + c * kernel[r + f] + d * kernel[s + f];
    }
  }
  for (; i < n; i++) {
    for (let f = 0; f < filters; f++) sums[f] += values[i] * kernel[positions[i] + f];
  }
}

function pass(operations, y) {
  return operations.reduce((z, op) => RUN[op.op](z, op), y);
}

// y_i = after(skip(y) + survival · f(y)); a plain module has no skip.
function run(module, y) {
  const z = pass(module.residual, y);
  if (!module.has_skip) return pass(module.after, z);
  const skip = pass(module.shortcut, y).data;
  const sum = z.data.map((value, i) => skip[i] + module.survival * value);
  return pass(module.after, { ...z, data: sum });
}

function deleted(module, y) {
  return pass(module.after, pass(module.shortcut, y));
}
