// What is asked of the server. Every failure is an Error whose message can be shown.

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer: is `palette web` still running?");
  }
  const text = await answer.text();
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${answer.status}: ${text.slice(0, 200)}`);
  }
  if (!answer.ok) throw new Error(value.error);
  return value;
}

export const address = key => `/files/${key}`;
export const model = () => ask("/model");
export const upload = file =>
  ask(`/pictures?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
export const uploadMask = async blob => (await ask("/masks", { method: "POST", body: blob })).key;
export const order = wanted => ask("/orders", { method: "POST", body: JSON.stringify(wanted) });
export const state = key => ask(`/orders/${key}`);
export const cancel = key => ask(`/orders/${key}`, { method: "DELETE" });
export const zip = key => `/orders/${key}/zip`;
