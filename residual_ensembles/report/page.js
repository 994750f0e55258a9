
"use strict";
// The claims: sorted by a click on a heading, filtered by words and by verdict. Without script the
// table is complete, and in order.
const table = document.getElementById("claims-table");
const body = table.tBodies[0];
const rows = [...body.rows];
const words = document.getElementById("words");
const verdict = document.getElementById("verdict");
const count = document.getElementById("count");

function key(row, column) {
  const cell = row.cells[column];
  return cell.dataset.sort ?? cell.textContent.trim();
}

// What is missing comes last, whichever way the rest goes.
function compare(a, b, sign) {
  if (!a || !b) return Number(!a) - Number(!b);
  const difference = Number(a) - Number(b);
  return sign * (difference || a.localeCompare(b, "en", { numeric: true }));
}

function sort(heading, column) {
  const descending = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const sign = descending ? -1 : 1;
  body.append(...[...rows].sort((a, b) => compare(key(a, column), key(b, column), sign)));
}

function filter() {
  const wanted = words.value.toLowerCase().split(/\s+/);
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    const fits = !verdict.value || row.dataset.verdict === verdict.value;
    row.hidden = !fits || !wanted.every((word) => text.includes(word));
  }
  count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} shown`;
}

[...table.tHead.rows[0].cells].forEach((heading, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...heading.childNodes);
  heading.append(button);
  button.addEventListener("click", () => sort(heading, column));
});
document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
for (const control of [words, verdict]) control.addEventListener("input", filter);
document.getElementById("filter").hidden = false;
filter();
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
