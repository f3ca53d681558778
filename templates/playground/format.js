// Dates, sizes and names as a person reads them.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "long" });
const dayAndYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat("en", { dateStyle: "long", timeStyle: "medium" });

/** Telegram dates are seconds since 1970. */
const asDate = (seconds) => new Date(seconds * 1000);

export const timeLabel = (seconds) => clock.format(asDate(seconds));
export const fullTime = (seconds) => full.format(asDate(seconds));

export function dayKey(seconds) {
  const date = asDate(seconds);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

export function dayLabel(seconds) {
  const now = Date.now() / 1000;
  if (dayKey(seconds) === dayKey(now)) return "Today";
  if (dayKey(seconds) === dayKey(now - 86400)) return "Yesterday";
  const date = asDate(seconds);
  return (date.getFullYear() === new Date().getFullYear() ? day : dayAndYear).format(date);
}

export function sizeLabel(bytes) {
  if (!Number.isFinite(bytes)) return "";
  const units = ["B", "KB", "MB", "GB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1024)));
  const value = bytes / 1024 ** power;
  return `${power > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

export function durationLabel(seconds = 0) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

export const fullName = (user) => [user?.first_name, user?.last_name].filter(Boolean).join(" ") || user?.title || "Unknown";

export function initials(user) {
  // Array.from walks code points, so a name that begins with an emoji keeps it whole.
  const letters = [user.first_name, user.last_name].filter(Boolean).map((name) => Array.from(name)[0]);
  return letters.join("").toLocaleUpperCase() || "?";
}

/** Telegram's own rule: seven colours by id. */
export const peerColor = (id) => `peer-${Math.abs(Number(id) || 0) % 7}`;

const RTL = /[\u0590-\u08FF\uFB1D-\uFDFD\uFE70-\uFEFC]/;
const LTR = /[A-Za-z\u00C0-\u02B8\u0370-\u058F\u0900-\u1FFF\u2C00-\uD7FF]/;

/** Does the last line of the text run from right to left? Then the time stands on the left. */
export function endsRightToLeft(text) {
  const last = text.trimEnd().split("\n").at(-1) ?? "";
  for (const character of last) {
    if (RTL.test(character)) return true;
    if (LTR.test(character)) return false;
  }
  return false;
}

const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}[\uFE0F\u200D\u{1F3FB}-\u{1F3FF}\p{Extended_Pictographic}]*){1,3}$/u;

export const isLoneEmoji = (text) => text.length <= 24 && EMOJI_ONLY.test(text);
