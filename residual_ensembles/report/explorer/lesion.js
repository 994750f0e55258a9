"use strict";
// A lesion: which modules are deleted, and in which order they stand. Written as in lesions.csv;
// swaps act on positions, one after another. People count from 1, the program from 0.

class Lesion {
  constructor(modules) {
    this.modules = modules;
    this.order = modules.map((_, i) => i);
    this.deleted = new Set();
  }

  get steps() {
    return this.order.map((module) => [module, this.deleted.has(module)]);
  }

  // Two positions can change places where both keep the shape, and the shape is the same.
  fits(a, b) {
    const [one, other] = [this.modules[a], this.modules[b]];
    const movable = one?.keeps_shape && other?.keeps_shape;
    return movable && String(one.stage) === String(other.stage);
  }

  toggle(module) {
    if (!this.modules[module]?.deletable) {
      throw new Error(`Module ${module + 1} changes the shape: without it nothing fits.`);
    }
    if (!this.deleted.delete(module)) this.deleted.add(module);
  }

  swap(a, b) {
    if (a === b || !this.fits(a, b)) {
      throw new Error(`Positions ${a + 1} and ${b + 1} cannot change places: the shapes differ.`);
    }
    [this.order[a], this.order[b]] = [this.order[b], this.order[a]];
  }

  // The shortest list of swaps that leads to this order.
  get swaps() {
    const order = this.modules.map((_, i) => i);
    const result = [];
    this.order.forEach((module, position) => {
      if (order[position] === module) return;
      const other = order.indexOf(module);
      [order[position], order[other]] = [order[other], order[position]];
      result.push(`${position + 1}-${other + 1}`);
    });
    return result;
  }

  toString() {
    const deletions = [...this.deleted].sort((a, b) => a - b).map((module) => module + 1);
    const parts = [
      deletions.length && `delete ${deletions}`,
      this.swaps.length && `swap ${this.swaps}`,
    ];
    return parts.filter(Boolean).join("; ") || "intact";
  }

  static parse(text, modules) {
    const lesion = new Lesion(modules);
    const words = new Set();
    for (const part of text.split(";").map((written) => written.trim())) {
      if (part === "" || part === "intact") continue;
      const match = /^(?:delete (\d+(?:,\d+)*)|swap (\d+-\d+(?:,\d+-\d+)*))$/.exec(part);
      if (!match) throw new Error("Expected for instance: delete 3,7; swap 4-9,5-7");
      const [word] = part.split(" ");
      if (words.has(word)) throw new Error(`Expected each word once, not ${word} twice.`);
      words.add(word);
      for (const module of (match[1]?.split(",") ?? []).map((number) => number - 1)) {
        if (!modules[module]) throw new Error(`There is no module ${module + 1}.`);
        if (lesion.deleted.has(module)) throw new Error(`Module ${module + 1} is named twice.`);
        lesion.toggle(module);
      }
      for (const pair of match[2]?.split(",") ?? []) {
        lesion.swap(...pair.split("-").map((number) => number - 1));
      }
    }
    return lesion;
  }
}

// Draws `n` of `items`, all equally likely.
function drawn(items, n) {
  const left = [...items];
  return Array.from({ length: Math.min(n, left.length) }, () => {
    const [item] = left.splice(Math.floor(Math.random() * left.length), 1);
    return item;
  });
}
