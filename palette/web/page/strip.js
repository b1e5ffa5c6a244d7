// The row of pictures under the stage: which is shown, which is done, which failed.

import { address } from "/page/server.js";

function button(className, label, text = "") {
  const made = document.createElement("button");
  made.type = "button";
  made.className = className;
  made.setAttribute("aria-label", label);
  made.textContent = text;
  return made;
}

export function drawStrip(list, { pictures, current, results }, { select, remove, add }) {
  const drawn = pictures.map(({ key }) => [key, key === current?.key, results.get(key)?.error]);
  const state = JSON.stringify([drawn, results.size]);
  if (list.dataset.state === state) return;
  list.dataset.state = state;
  const lines = pictures.map(picture => {
    const line = document.createElement("li");
    const thumb = button("thumb", `Show ${picture.name}`);
    thumb.title = picture.damage ? `${picture.name}: seems damaged, ${picture.damage}` : picture.name;
    thumb.setAttribute("aria-current", picture === current);
    thumb.addEventListener("click", () => select(picture));
    const image = new Image();
    image.src = address(picture.thumb);
    image.alt = "";
    thumb.append(image);
    const away = button("remove", `Remove ${picture.name}`, "×");
    away.addEventListener("click", () => remove(picture));
    line.append(thumb, away);
    const result = results.get(picture.key);
    if (result || picture.damage) {
      const mark = document.createElement("span");
      mark.className = !result || result.error ? "mark-of bad" : "mark-of";
      mark.textContent = !result || result.error ? "!" : "✓";
      line.append(mark);
    }
    return line;
  });
  const more = button("add", "Add pictures", "+");
  more.addEventListener("click", add);
  const last = document.createElement("li");
  last.append(more);
  list.replaceChildren(...lines, last);
}
