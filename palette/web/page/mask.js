// The mask of one picture: strokes that can be undone, drawn at the picture's own resolution.

const COLOUR = "#ff2d6f";

export class Mask {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.strokes = [];
  }

  get empty() {
    return !this.strokes.some(stroke => stroke.tool !== "eraser");
  }

  begin(tool, size, point) {
    this.strokes.push({ tool, size, points: [point] });
  }

  extend(point) {
    const { tool, points } = this.strokes.at(-1);
    if (tool === "rectangle") points[1] = point;
    else points.push(point);
  }

  draw(canvas) {
    canvas.width = this.width;
    canvas.height = this.height;
    const pen = canvas.getContext("2d");
    for (const stroke of this.strokes) this.drawStroke(pen, stroke);
  }

  // The newest piece alone, where that is enough; all of it where it is not.
  drawNewest(canvas) {
    const stroke = this.strokes.at(-1);
    if (stroke.tool === "rectangle") this.draw(canvas);
    else this.drawStroke(canvas.getContext("2d"), { ...stroke, points: stroke.points.slice(-2) });
  }

  drawStroke(pen, { tool, size, points }) {
    pen.globalCompositeOperation = tool === "eraser" ? "destination-out" : "source-over";
    pen.fillStyle = pen.strokeStyle = COLOUR;
    const [x, y] = points[0];
    if (tool === "rectangle") {
      const [u, v] = points[1] ?? points[0];
      const [left, top] = [Math.floor(Math.min(x, u)), Math.floor(Math.min(y, v))];
      pen.fillRect(left, top, Math.ceil(Math.max(x, u)) - left, Math.ceil(Math.max(y, v)) - top);
      return;
    }
    pen.lineWidth = size;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(x, y);
    if (points.length === 1) pen.lineTo(x + 0.01, y);
    for (const [u, v] of points.slice(1)) pen.lineTo(u, v);
    pen.stroke();
  }

  // White where something is missing, black elsewhere, nothing in between.
  async asFile() {
    const canvas = document.createElement("canvas");
    this.draw(canvas);
    const pen = canvas.getContext("2d");
    const pixels = pen.getImageData(0, 0, this.width, this.height);
    const values = new Uint32Array(pixels.data.buffer);
    const bytes = pixels.data;
    for (let i = 0; i < values.length; i++) {
      values[i] = bytes[4 * i + 3] >= 128 ? 0xffffffff : 0xff000000;
    }
    pen.putImageData(pixels, 0, 0);
    return new Promise(resolve => canvas.toBlob(resolve, "image/png"));
  }
}
