"use strict";
// The modules in a row, by stage: a click deletes, a drag or Shift with an arrow key swaps.
// One button for each position; what it shows is the module that stands there.

const DRAG_PIXELS = 6;

class Row {
  // `on.click(position)` and `on.swap(a, b)` are called; nothing changes until `update`.
  constructor(element, modules, on) {
    this.element = element;
    this.modules = modules;
    this.on = on;
    this.buttons = modules.map((_, position) => this.button(position));
    element.replaceChildren(...this.stages());
    this.focusable(0);
    element.onclick = (event) => this.clicked(event);
    element.onkeydown = (event) => this.key(event);
    element.onpointerdown = (event) => this.grab(event);
  }

  button(position) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "module";
    button.dataset.position = position;
    button.tabIndex = -1;
    return button;
  }

  stages() {
    const stages = [];
    this.modules.forEach((module, position) => {
      const shape = String(module.stage);
      if (stages.at(-1)?.shape !== shape) stages.push({ shape, stage: module.stage, buttons: [] });
      stages.at(-1).buttons.push(this.buttons[position]);
    });
    return stages.map(({ stage: [height, width, channels], buttons }, i) => {
      const name = `Stage ${i + 1}: ${channels} channels of ${height} × ${width}`;
      const group = document.createElement("div");
      group.className = "stage";
      group.role = "group";
      group.ariaLabel = name;
      const heading = document.createElement("p");
      heading.textContent = name;
      const row = document.createElement("div");
      row.className = "modules";
      row.append(...buttons);
      group.append(heading, row);
      return group;
    });
  }

  update(lesion, picked) {
    this.lesion = lesion;
    this.buttons.forEach((button, position) => {
      const module = lesion.order[position];
      const { keeps_shape, deletable } = this.modules[module];
      const gone = lesion.deleted.has(module);
      const moved = module !== position;
      button.textContent = module + 1;
      button.ariaPressed = String(gone);
      button.ariaDisabled = String(!deletable && picked === null);
      button.classList.toggle("moved", moved);
      button.classList.toggle("halves", !keeps_shape);
      button.classList.toggle("picked", position === picked);
      button.ariaLabel = [
        `Module ${module + 1}`,
        !keeps_shape && "changes the shape",
        moved && `at position ${position + 1}`,
        position === picked && "picked for a swap",
        "deleted",
      ]
        .filter(Boolean)
        .slice(0, gone ? undefined : -1)
        .join(", ");
    });
  }

  // One module at a time can be reached with Tab; arrow keys go on from there.
  focusable(position) {
    this.buttons.forEach((button, i) => (button.tabIndex = i === position ? 0 : -1));
  }

  focus(position) {
    this.focusable(position);
    this.buttons[position].focus();
  }

  at(target) {
    const button = target?.closest?.(".module");
    return button && this.element.contains(button) ? Number(button.dataset.position) : null;
  }

  clicked(event) {
    const position = this.at(event.target);
    if (position === null || this.dragged) return;
    this.focusable(position);
    this.on.click(position);
  }

  key(event) {
    const position = this.at(event.target);
    if (position === null || event.ctrlKey || event.altKey || event.metaKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const last = this.buttons.length - 1;
    let to = null;
    if (step) to = Math.min(Math.max(position + step, 0), last);
    if (event.key === "Home") to = 0;
    if (event.key === "End") to = last;
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      to = this.nextLine(position, event.key === "ArrowDown");
    }
    if (to === null) return;
    event.preventDefault();
    if (!event.shiftKey) this.focus(to);
    else if (step && to !== position && this.on.swap(position, to)) this.focus(to);
  }

  // The nearest button on the next line of the page, or on the one before.
  nextLine(position, down) {
    const box = (button) => button.getBoundingClientRect();
    const here = box(this.buttons[position]);
    const away = (button) => (box(button).top - here.top) * (down ? 1 : -1);
    const beyond = this.buttons.filter((button) => away(button) > 1);
    const line = Math.min(...beyond.map(away));
    const distance = (button) => Math.abs(box(button).left - here.left);
    const result = beyond
      .filter((button) => away(button) < line + 1)
      .sort((a, b) => distance(a) - distance(b))[0];
    return result ? Number(result.dataset.position) : position;
  }

  // A finger scrolls the page; it swaps by picking two modules instead.
  grab(event) {
    const from = this.at(event.target);
    this.dragged = false;
    if (from === null || event.button !== 0 || event.pointerType === "touch") return;
    const start = [event.clientX, event.clientY];
    let over = null;
    const move = (moving) => {
      const far = Math.hypot(moving.clientX - start[0], moving.clientY - start[1]) > DRAG_PIXELS;
      this.dragged ||= far;
      if (!this.dragged) return;
      over = this.at(document.elementFromPoint(moving.clientX, moving.clientY));
      this.buttons.forEach((button, position) => {
        button.classList.toggle("dragged", position === from);
        button.classList.toggle("over", position === over && this.lesion.fits(from, over));
      });
    };
    const end = (ending) => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
      for (const button of this.buttons) button.classList.remove("dragged", "over");
      const dropped = this.dragged && ending.type === "pointerup" && over !== null && over !== from;
      if (dropped && this.on.swap(from, over)) this.focus(over);
      // The click that follows a drag is none.
      setTimeout(() => (this.dragged = false));
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  }
}
