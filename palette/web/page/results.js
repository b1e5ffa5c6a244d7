// What was made: before and after, samples side by side, where they differ, what to download.

import { Board, fitting } from "/page/board.js";
import { address, zip } from "/page/server.js";

const part = id => document.getElementById(id);

export class Results {
  constructor() {
    this.compare = new Board(part("compare"));
    this.spread = new Board(part("spread"));
    this.split = part("compare").querySelector("input");
    this.split.addEventListener("input", () => this.divide());
    this.result = null;
    this.chosen = 0;
  }

  // A result of the picture; what it was made of is the picture, or the part in its frame.
  show(result, picture) {
    if (this.result !== result) {
      this.result = result;
      this.before = result.before ?? picture.view;
      if (!result.error) this.fill();
    }
  }

  fill() {
    const { result } = this;
    part("compare").querySelector(".before").src = address(this.before);
    if (result.spread) part("spread").querySelector("img").src = address(result.spread.view);
    const grid = part("samples");
    grid.replaceChildren(this.tile("Before", this.before, null));
    result.samples.forEach((sample, i) => grid.append(this.tile(`Seed ${sample.seed}`, sample.view, i)));
    this.choose(0);
    this.divide();
  }

  choose(number) {
    this.chosen = number;
    const sample = this.result.samples[number];
    part("compare").querySelector(".after").src = address(sample.view);
    part("after-tag").textContent = this.result.samples.length > 1 ? `Seed ${sample.seed}` : "After";
    const link = part("one");
    link.href = `${address(sample.file)}?download`;
    document.querySelectorAll("#samples figure").forEach((tile, i) =>
      tile.classList.toggle("chosen", this.result.samples.length > 1 && i === number + 1));
  }

  // One picture in a window; all windows are scrolled together.
  tile(title, view, number) {
    const tile = document.createElement("figure");
    const frame = document.createElement("div");
    frame.className = "window";
    const image = new Image();
    image.src = address(view);
    image.alt = title;
    frame.append(image);
    frame.addEventListener("scroll", () => {
      for (const other of document.querySelectorAll("#samples .window")) {
        if (other === frame) continue;
        if (other.scrollLeft !== frame.scrollLeft) other.scrollLeft = frame.scrollLeft;
        if (other.scrollTop !== frame.scrollTop) other.scrollTop = frame.scrollTop;
      }
    });
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = title;
    button.disabled = number === null;
    button.title = number === null ? "" : "Compare and download this one";
    button.addEventListener("click", () => this.choose(number));
    tile.append(frame, button);
    return tile;
  }

  lay(tab, zoom) {
    const { result } = this;
    if (!result || result.error) return;
    const { width, height } = result;
    if (tab === "compare") this.compare.lay([0, 0, width, height], zoom);
    if (tab === "spread") {
      this.spread.lay([0, 0, width, height], zoom);
      this.spread.put(part("spread").querySelector("img"), [0, 0, width, height]);
    }
    if (tab === "samples") this.layTiles(zoom);
  }

  layTiles(zoom) {
    const { width, height } = this.result;
    const grid = part("samples");
    const count = grid.children.length;
    const wide = grid.clientWidth / grid.clientHeight;
    // the number of columns that shows them largest
    const size = columns => Math.min(wide / columns / width, 1 / Math.ceil(count / columns) / height);
    const columns = [...Array(count).keys()].map(n => n + 1).reduce((a, b) => (size(b) > size(a) ? b : a));
    grid.style.setProperty("--columns", columns);
    for (const frame of grid.querySelectorAll(".window")) {
      const scale = zoom || fitting(frame, width, height);
      const image = frame.firstChild;
      image.style.width = `${width * scale}px`;
      image.style.height = `${height * scale}px`;
    }
  }

  divide() {
    const share = Number(this.split.value);
    part("compare").querySelector(".after").style.clipPath = `inset(0 0 0 ${share}%)`;
    part("compare").querySelector(".bar").style.left = `${share}%`;
  }

  // The sentence under the map.
  get legend() {
    const spread = this.result?.spread;
    if (!spread) return "";
    const text = `Standard deviation from 0 to 32 of 255, ${spread.average.toFixed(1)} over all.`;
    return `${text} Bright is where the samples differ: that detail is invented.`;
  }

  links(ticket) {
    part("all").href = zip(ticket);
  }
}
