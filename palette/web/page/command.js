// The command that makes the same file: what is on the page is no secret of the page.

import { whole } from "/page/frame.js";

const quoted = text => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export function command(model, order, picture, task) {
  const [, , width, height] = whole(picture);
  const [left, top, right, bottom] = picture.frame ?? whole(picture);
  const stem = picture.name.replace(/\.[^.]*$/, "");
  const words = ["palette restore", quoted(model), quoted(picture.name), quoted(`${stem}-restored.${order.format}`)];
  words.push("--task", order.task, "--answer", order.answer);
  if (order.answer === "sample") words.push("--steps", order.steps);
  words.push("--seed", order.seed);
  const added = [-left, -top, right - width, bottom - height].map(side => Math.max(side, 0));
  if (task.hole === "painted") words.push("--mask", "mask.png");
  else if (added.some(Boolean)) words.push("--extend", ...added);
  const notes = [];
  if (task.hole === "painted") notes.push("# mask.png: from masks/ of the zip");
  const cut = left > 0 || top > 0 || right < width || bottom < height;
  if (cut) notes.push("# of the part that is in the frame, cut out first");
  if (order.samples > 1) notes.push("# the other samples: the seeds that follow");
  return [words.join(" "), ...notes].join("\n");
}
