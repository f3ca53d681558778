// The people side of the playground server: every call the page makes is in this file.

const RETRY_FIRST_MS = 400;
const RETRY_MOST_MS = 5000;
const EVENT_TYPES = ["snapshot", "message", "edit", "delete", "draft", "draft_end", "typing", "answer", "wallet", "paid", "force_reply"];

async function request(path, options) {
  const response = await fetch(path, options);
  if (!response.ok) {
    const words = (await response.text()).slice(0, 200);
    throw new Error(words || `${response.status} ${response.statusText}`);
  }
  return response.headers.get("content-type")?.includes("json") ? response.json() : null;
}

const post = (path, body) => request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

export const people = () => request("/people/");
export const chats = (person) => request(`/people/${person}/chats`);
export const sendText = (person, chat, topic, text, replyTo, quote) => post(`/people/${person}/send`, { chat, topic, text, reply_to: replyTo, quote });
export const newTopic = (person, chat) => post(`/people/${person}/topic`, { chat });
export const abilities = (changed) => post("/control/abilities", changed);
export const edit = (person, chat, messageId, text) => post(`/people/${person}/edit`, { chat, message_id: messageId, text });
export const forward = (person, chat, topic, messageId) => post(`/people/${person}/forward`, { chat, topic, message_id: messageId });
/** `content` is {kind: "contact" | "location" | "venue" | "poll" | "dice", …} with the fields of that kind. */
export const share = (person, chat, topic, content) => post(`/people/${person}/share`, { chat, topic, ...content });
export const press = (person, chat, messageId, data) => post(`/people/${person}/press`, { chat, message_id: messageId, data });
export const stop = (person, chat, draftId) => post(`/people/${person}/stop`, { chat, draft_id: draftId });
export const block = (person, chat, blocked) => post(`/people/${person}/block`, { chat, blocked });
export const invoice = (person, of) => post(`/people/${person}/invoice`, of);
export const pay = (person, of) => post(`/people/${person}/pay`, of);
export const wallet = (person, what, more = {}) => post(`/people/${person}/wallet`, { what, ...more });
export const flood = (chat, seconds) => post("/control/flood", { chat, seconds, methods: null });
export const failNext = (method) => post("/control/fail", { method, times: 1, status: 500, description: "Internal Server Error" });

/** One file, or several that become an album; `more` are further fields: reply_to, kind, duration. */
export function sendFiles(person, chat, topic, files, caption, more = {}) {
  const form = new FormData();
  form.append("chat", chat);
  form.append("topic", topic ?? "");
  form.append("caption", caption);
  for (const [name, value] of Object.entries(more)) if (value !== undefined) form.append(name, value);
  for (const file of files) form.append("file", file, file.name);
  return request(`/people/${person}/send`, { method: "POST", body: form });
}

/**
 * Follows the events of one chat and never gives up. Every connection begins with a snapshot, so whatever was missed
 * while it was away is in it. Returns the function that stops.
 */
export function listen(person, chat, { onEvent, onLost }) {
  let source = null;
  let timer = null;
  let wait = RETRY_FIRST_MS;

  function take(event) {
    wait = RETRY_FIRST_MS;
    onEvent(JSON.parse(event.data));
  }

  function lost() {
    // EventSource would come back by itself after some errors but not after others; closing makes it one path.
    source.close();
    onLost();
    timer = setTimeout(open, wait);
    wait = Math.min(RETRY_MOST_MS, wait * 2);
  }

  function open() {
    clearTimeout(timer);
    source = new EventSource(`/people/${person}/events?chat=${chat}`);
    source.onmessage = take;
    for (const type of EVENT_TYPES.filter((name) => name !== "message")) source.addEventListener(type, take);
    source.onerror = lost;
  }

  function wake() {
    if (source.readyState === EventSource.CLOSED && !document.hidden) open();
  }

  open();
  window.addEventListener("online", wake);
  document.addEventListener("visibilitychange", wake);
  return () => {
    clearTimeout(timer);
    source.close();
    window.removeEventListener("online", wake);
    document.removeEventListener("visibilitychange", wake);
  };
}
