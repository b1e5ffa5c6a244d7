// The board: a rectangle of the picture's plane, drawn as large as it fits or at a fixed zoom.

const LARGEST = 8; // times, of a small picture that is fitted

export class Board {
  constructor(view) {
    this.view = view;
    this.board = view.querySelector(".board");
    this.world = [0, 0, 1, 1];
    this.scale = 1;
  }

  // Show the rectangle `world` = [left, top, right, bottom] of the plane; zoom 0 fits it.
  lay(world, zoom) {
    this.world = world;
    const [width, height] = [world[2] - world[0], world[3] - world[1]];
    this.scale = zoom || fitting(this.view, width, height);
    this.board.style.width = `${width * this.scale}px`;
    this.board.style.height = `${height * this.scale}px`;
  }

  // Put an element over the rectangle [left, top, right, bottom] of the plane.
  put(element, [left, top, right, bottom]) {
    element.style.left = `${(left - this.world[0]) * this.scale}px`;
    element.style.top = `${(top - this.world[1]) * this.scale}px`;
    element.style.width = `${(right - left) * this.scale}px`;
    element.style.height = `${(bottom - top) * this.scale}px`;
  }

  // Where on the plane a pointer is.
  at(event) {
    const box = this.board.getBoundingClientRect();
    return [
      (event.clientX - box.left) / this.scale + this.world[0],
      (event.clientY - box.top) / this.scale + this.world[1],
    ];
  }
}

export function fitting(view, width, height) {
  return Math.min(view.clientWidth / width, view.clientHeight / height, LARGEST);
}
