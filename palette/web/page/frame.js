// The frame: what of a picture is restored, and, where holes are filled, how far beyond it.

const LEAST = 16; // pixels a side
const EDGES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const NAMES = { n: "top", s: "bottom", w: "left", e: "right" };

// [left, top, right, bottom], each side kept in `limits` and at least LEAST from the other.
export function moved(frame, edge, dx, dy, limits) {
  let [left, top, right, bottom] = frame;
  const between = (value, low, high) => Math.round(Math.min(Math.max(value, low), high));
  if (edge === "all") {
    dx = between(dx, limits[0] - left, limits[2] - right);
    dy = between(dy, limits[1] - top, limits[3] - bottom);
    return [left + dx, top + dy, right + dx, bottom + dy];
  }
  if (edge.includes("w")) left = between(left + dx, limits[0], right - LEAST);
  if (edge.includes("e")) right = between(right + dx, left + LEAST, limits[2]);
  if (edge.includes("n")) top = between(top + dy, limits[1], bottom - LEAST);
  if (edge.includes("s")) bottom = between(bottom + dy, top + LEAST, limits[3]);
  return [left, top, right, bottom];
}

// The frame that is drawn from one corner to another.
export function drawn([x, y], [u, v], limits) {
  const start = [Math.min(x, u), Math.min(y, v)].map((corner, i) =>
    Math.round(Math.min(Math.max(corner, limits[i]), limits[i + 2] - LEAST)));
  return moved([...start, ...start], "se", Math.abs(u - x), Math.abs(v - y), limits);
}

export const whole = picture => [0, 0, picture.width, picture.height];
export const isWhole = (frame, picture) => whole(picture).every((side, i) => side === frame[i]);

// How far a frame may go: the picture, or a side of it more where what is beyond is made.
export function limitsOf(picture, beyond) {
  const { width, height } = picture;
  return beyond ? [-width, -height, 2 * width, 2 * height] : whole(picture);
}

// What a frame beyond the picture begins as: an eighth more at the left and at the right.
export function wider(picture) {
  const more = Math.max(LEAST, Math.round(picture.width / 64) * 8);
  return [-more, 0, picture.width + more, picture.height];
}

export function addHandles(element, onMove, onEnd) {
  for (const edge of EDGES) {
    const handle = document.createElement("button");
    handle.type = "button";
    handle.dataset.edge = edge;
    handle.setAttribute("aria-label", `Move the ${[...edge].map(e => NAMES[e]).join(" and ")}`);
    handle.style.left = edge.includes("w") ? "0" : edge.includes("e") ? "100%" : "50%";
    handle.style.top = edge.includes("n") ? "0" : edge.includes("s") ? "100%" : "50%";
    const turned = { n: "ns", s: "ns", e: "ew", w: "ew", nw: "nwse", se: "nwse" }[edge] ?? "nesw";
    handle.style.cursor = `${turned}-resize`;
    handle.addEventListener("keydown", event => {
      const by = event.shiftKey ? 16 : 1;
      const step = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] };
      if (!(event.key in step)) return;
      event.preventDefault();
      onMove(edge, ...step[event.key]);
      onEnd();
      handle.focus();
    });
    element.append(handle);
  }
}
