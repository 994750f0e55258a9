"use strict";
// Paths in closed form and exact: of n residual modules 2^n, C(n, x) of length x; a path cannot
// take a deleted residual, so that with d deleted there are 2^(n - d), C(n - d, x) of length x.
// Every path goes through a module without skip, so that none is left once one is deleted.

// C(n, 0), C(n, 1), …, C(n, n) as BigInt.
function binomials(n) {
  const result = [1n];
  for (let x = 1n; x <= BigInt(n); x++) result.push((result.at(-1) * (BigInt(n) - x + 1n)) / x);
  return result;
}

// Number of paths of each length, 0 to the number of modules.
function pathsByLength(modules, deleted) {
  const result = new Array(modules.length + 1).fill(0n);
  const plain = modules.filter((module) => !module.has_skip).length;
  if ([...deleted].some((module) => !modules[module].has_skip)) return result;
  binomials(modules.length - plain - deleted.size).forEach((count, x) => {
    result[plain + x] = count;
  });
  return result;
}

const total = (counts) => counts.reduce((a, b) => a + b, 0n);

// Integers with their thousands set apart.
const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
