"use strict";
// Lengths of the paths that are left, as shares of them; behind, gray, those of the intact network.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 100;

class Histogram {
  constructor(element, modules) {
    this.element = element;
    this.modules = modules;
    this.intact = pathsByLength(modules, new Set());
    const n = modules.length + 1;
    element.setAttribute("viewBox", `0 0 ${n} ${HEIGHT}`);
    element.replaceChildren(...["before", "left"].flatMap((kind) => this.bars(n, kind)));
    document.getElementById("longest").textContent = modules.length;
  }

  bars(n, kind) {
    const bars = Array.from({ length: n }, (_, x) => {
      const bar = document.createElementNS(SVG, "rect");
      bar.setAttribute("class", kind);
      bar.setAttribute("x", x + 0.1);
      bar.setAttribute("width", 0.8);
      return bar;
    });
    this[kind] = bars;
    return bars;
  }

  update(deleted) {
    const left = pathsByLength(this.modules, deleted);
    const shares = { before: sharesOf(this.intact), left: sharesOf(left) };
    const highest = Math.max(...shares.before, ...shares.left);
    for (const [kind, values] of Object.entries(shares)) {
      values.forEach((share, x) => {
        this[kind][x].setAttribute("y", HEIGHT * (1 - share / highest));
        this[kind][x].setAttribute("height", (HEIGHT * share) / highest);
      });
    }
    this.element.setAttribute("aria-label", this.inWords(shares.left));
    return { left: total(left), all: total(this.intact) };
  }

  inWords(shares) {
    const mean = shares.reduce((sum, share, x) => sum + share * x, 0);
    const some = shares.some((share) => share > 0);
    return some
      ? `Lengths of the paths left, ${Number(mean.toFixed(2))} modules on average`
      : "No path is left";
  }
}

function sharesOf(counts) {
  const all = Number(total(counts));
  return counts.map((count) => (all ? Number(count) / all : 0));
}
