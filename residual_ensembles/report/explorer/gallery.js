"use strict";
// The images, and what the network takes them for.

class Gallery {
  constructor(element, { shape, labels }, pixels, classNames) {
    this.labels = labels;
    this.classNames = classNames;
    const size = shape.reduce((a, b) => a * b);
    this.tiles = labels.map((label, i) => {
      const tile = document.createElement("li");
      const canvas = image(pixels.subarray(i * size, (i + 1) * size), shape);
      canvas.role = "img";
      canvas.ariaLabel = `image of ${classNames[label]}`;
      canvas.title = classNames[label];
      tile.append(canvas, document.createElement("span"));
      return tile;
    });
    element.classList.toggle("short", Math.max(...classNames.map((name) => name.length)) <= 3);
    element.replaceChildren(...this.tiles);
  }

  wait() {
    for (const tile of this.tiles) tile.classList.add("waiting");
  }

  update(i, predicted) {
    const right = predicted === this.labels[i];
    this.tiles[i].className = right ? "right" : "wrong";
    const [sign, name] = right ? ["✓", "right"] : ["✗", "wrong"];
    const mark = document.createElement("span");
    mark.role = "img";
    mark.ariaLabel = name;
    mark.textContent = sign;
    this.tiles[i].lastChild.replaceChildren(mark, ` ${this.classNames[predicted]}`);
  }
}

// Pixels of one or three channels, 0..255, as a canvas of that size; the style sheet enlarges it.
function image(pixels, [height, width, channels]) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) {
      image.data[4 * i + c] = pixels[i * channels + (channels === 3 ? c : 0)];
    }
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
