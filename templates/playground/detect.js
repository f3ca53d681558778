// What Telegram's servers mark by themselves in plain text: addresses, commands, @names and #tags.
// Only ranges that carry no link or code yet are marked, so entities sent by the bot always win.

const PATTERNS = [
  ["url", /\bhttps?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}»…]/giu],
  ["email", /\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b/giu],
  ["bot_command", /(?<![\w/\p{L}.:])\/[a-z][a-z0-9_]{0,31}(?:@[a-z0-9_]{5,32})?(?![\w/\p{L}])/giu],
  ["mention", /(?<![\w@/.])@[a-z][a-z0-9_]{3,31}\b/giu],
  ["hashtag", /(?<![\p{L}\p{N}_&#/])#[\p{L}_][\p{L}\p{N}_]{0,254}/giu],
];

const EXCLUSIVE = new Set([
  "code", "pre", "text_link", "url", "email", "bot_command", "mention", "text_mention", "hashtag", "cashtag", "phone_number", "custom_emoji",
]);

const overlaps = (a, b) => a.offset < b.offset + b.length && b.offset < a.offset + a.length;

export function detect(text, entities) {
  const taken = entities.filter((entity) => EXCLUSIVE.has(entity.type));
  const found = [];
  for (const [type, pattern] of PATTERNS) {
    for (const match of text.matchAll(pattern)) {
      const entity = { type, offset: match.index, length: match[0].length };
      if (taken.some((other) => overlaps(entity, other))) continue;
      taken.push(entity);
      found.push(entity);
    }
  }
  return found;
}
