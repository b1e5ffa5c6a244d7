// The picture as it was given: its mask is painted and its frame is dragged here.

import { Board } from "/page/board.js";
import { addHandles, drawn, isWhole, limitsOf, moved, whole } from "/page/frame.js";
import { address } from "/page/server.js";

const part = id => document.getElementById(id);

export class Editor {
  constructor(onChange) {
    this.onChange = onChange;
    this.board = new Board(part("picture"));
    this.image = part("picture").querySelector("img");
    this.canvas = part("picture").querySelector("canvas");
    this.frame = part("frame");
    this.cursor = part("cursor");
    this.picture = null;
    this.hole = null;
    this.tool = "brush";
    this.zoom = 0;
    this.listen();
  }

  // Show a picture for a task whose hole is "painted", "border" or null.
  show(picture, hole, zoom) {
    if (this.picture !== picture) {
      this.image.src = address(picture.view);
      picture.mask.draw(this.canvas);
    }
    Object.assign(this, { picture, hole, zoom });
    this.lay();
  }

  choose(tool) {
    this.tool = tool;
    this.lay();
  }

  get mode() {
    if (this.hole === "border" || this.tool === "frame") return "frame";
    return this.hole === "painted" ? "paint" : null;
  }

  get brush() {
    const { width, height } = this.picture;
    return (Number(part("size").querySelector("input").value) / 100) * Math.max(width, height);
  }

  lay() {
    if (!this.picture) return;
    const { picture, board } = this;
    const framing = this.mode === "frame";
    board.lay(this.world(), this.zoom);
    const place = whole(picture);
    board.put(this.image, place);
    board.put(this.canvas, place);
    this.canvas.hidden = this.hole !== "painted";
    this.frame.hidden = !framing && !picture.frame;
    this.frame.classList.toggle("still", !framing);
    board.board.classList.toggle("drawing", this.mode === "paint");
    board.board.classList.toggle("framing", framing);
    board.board.classList.toggle("border", this.hole === "border");
    this.layFrame();
  }

  layFrame() {
    this.board.put(this.frame, this.picture.frame ?? whole(this.picture));
    this.onChange();
  }

  // The picture; with its frame and a margin to drag into where the frame may go beyond it.
  world() {
    const { picture } = this;
    if (this.hole !== "border") return whole(picture);
    const [left, top, right, bottom] = picture.frame ?? whole(picture);
    const margin = Math.max(picture.width, picture.height) / 6;
    return [
      Math.min(left, 0) - margin,
      Math.min(top, 0) - margin,
      Math.max(right, picture.width) + margin,
      Math.max(bottom, picture.height) + margin,
    ];
  }

  undo() {
    this.picture?.mask.strokes.pop();
    this.redraw();
  }

  clear() {
    if (this.picture) this.picture.mask.strokes = [];
    this.redraw();
  }

  redraw() {
    this.picture?.mask.draw(this.canvas);
    this.onChange();
  }

  listen() {
    const surface = this.board.board;
    addHandles(this.frame, (edge, dx, dy) => this.moveFrame(edge, dx, dy), () => this.lay());
    surface.addEventListener("pointerdown", event => this.press(event));
    surface.addEventListener("pointermove", event => this.hover(event));
    surface.addEventListener("pointerleave", () => (this.cursor.hidden = true));
  }

  get limits() {
    return limitsOf(this.picture, this.hole === "border");
  }

  moveFrame(edge, dx, dy, from = this.picture.frame ?? whole(this.picture)) {
    this.setFrame(moved(from, edge, dx, dy, this.limits));
  }

  setFrame(frame) {
    this.picture.frame = isWhole(frame, this.picture) ? null : frame;
    this.layFrame();
  }

  hover(event) {
    const size = this.tool === "rectangle" ? 0 : this.brush * this.board.scale;
    this.cursor.hidden = this.mode !== "paint" || event.pointerType === "touch";
    const box = this.board.board.getBoundingClientRect();
    this.cursor.style.left = `${event.clientX - box.left}px`;
    this.cursor.style.top = `${event.clientY - box.top}px`;
    this.cursor.style.width = this.cursor.style.height = `${Math.max(size, 7)}px`;
  }

  press(event) {
    if (event.button || !this.mode || !event.isPrimary) return;
    event.preventDefault();
    const move = this.mode === "paint" ? this.paint(event) : this.drag(event);
    const surface = this.board.board;
    surface.setPointerCapture(event.pointerId);
    const end = () => {
      surface.removeEventListener("pointermove", move);
      surface.removeEventListener("pointerup", end);
      surface.removeEventListener("pointercancel", end);
      this.lay();
    };
    surface.addEventListener("pointermove", move);
    surface.addEventListener("pointerup", end);
    surface.addEventListener("pointercancel", end);
  }

  paint(event) {
    const { mask } = this.picture;
    mask.begin(this.tool, this.brush, this.board.at(event));
    mask.drawNewest(this.canvas);
    this.onChange();
    return next => {
      mask.extend(this.board.at(next));
      mask.drawNewest(this.canvas);
    };
  }

  drag(event) {
    const start = this.board.at(event);
    const from = this.picture.frame ?? whole(this.picture);
    const { edge } = event.target.dataset;
    if (!edge && this.hole !== "border" && (!this.picture.frame || event.target !== this.frame)) {
      return next => this.setFrame(drawn(start, this.board.at(next), this.limits));
    }
    return next => {
      const [x, y] = this.board.at(next);
      this.moveFrame(edge ?? "all", x - start[0], y - start[1], from);
    };
  }
}
