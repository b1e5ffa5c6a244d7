// An order while it is worked on: its progress, the time that is left, its end.

import * as server from "/page/server.js";

const EVERY = 250; // milliseconds between two looks
const part = id => document.getElementById(id);
const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

export class Running {
  constructor(onProgress) {
    this.onProgress = onProgress;
    this.key = null;
  }

  get active() {
    return this.key !== null;
  }

  // Resolves when the order has ended, however it did.
  async start(order) {
    let ticket = await server.order(order);
    this.key = ticket.key;
    this.began = null;
    part("progress").hidden = false;
    part("cancel").disabled = false;
    try {
      while (ticket.state === "waiting" || ticket.state === "running") {
        this.say(ticket);
        this.onProgress(ticket);
        await pause(EVERY);
        ticket = await server.state(this.key);
      }
    } finally {
      this.key = null;
      part("progress").hidden = true;
    }
    this.onProgress(ticket);
  }

  async cancel() {
    part("cancel").disabled = true;
    part("said").textContent = "Ending …";
    if (this.key) await server.cancel(this.key);
  }

  say(ticket) {
    if (part("cancel").disabled) return;
    const done = ticket.results.length;
    const inside = ticket.expected && done < ticket.items ? ticket.evaluations / ticket.expected : 0;
    const share = (done + inside) / ticket.items;
    part("progress").querySelector(".track i").style.width = `${100 * share}%`;
    const words = [];
    if (ticket.state === "waiting") words.push(ticket.ahead ? `${ticket.ahead} before you` : "Waiting");
    else if (ticket.items > 1) words.push(`Picture ${Math.min(done + 1, ticket.items)} of ${ticket.items}`);
    if (ticket.expected) words.push(`${ticket.evaluations} of ${ticket.expected} evaluations`);
    else if (ticket.state === "running") words.push("Reading the picture");
    const left = this.left(share);
    if (left !== null) words.push(left);
    part("said").textContent = words.join(" · ");
  }

  // From the speed since the first evaluation.
  left(share) {
    const now = performance.now();
    if (!share) return null;
    this.began ??= { now, share };
    const passed = share - this.began.share;
    if (passed < 0.05) return null;
    const seconds = Math.ceil((((now - this.began.now) / passed) * (1 - share)) / 1000);
    return seconds < 100 ? `${seconds} s left` : `${Math.round(seconds / 60)} min left`;
  }
}
