// Colours for code: comments, strings, numbers and the words most languages share. A reader's aid, not a parser:
// it never changes the characters, only wraps some of them.

import { element } from "./dom.js";

const WORDS = new Set(`abstract and as assert async await begin break case catch class const constexpr continue def default defer del delete do done
  echo elif else elsif end enum esac except export extends extern false fi final finally fn for foreach from fun func function global go goto if impl
  implements import in include instanceof interface is lambda let loop match mod module mut namespace new nil none not null nullptr of operator or
  override package pass private protected pub public raise readonly repeat require return select self sizeof static struct super switch template then
  this throw trait true try type typedef typeof undefined union unless until unsafe use using var virtual void volatile when where while with yield
  select insert update delete create table values join group order by limit set into`.split(/\s+/));

// Languages where # does not begin a comment, and those where -- does.
const HASH_IS_CODE = /^(?:c|cpp|c\+\+|cs|csharp|css|html|xml|js|jsx|ts|tsx|javascript|typescript|java|go|rust|rs|kotlin|swift|scss|json|sql|latex|tex)$/i;
const DASHES = /^(?:sql|lua|haskell|hs|ada|elm)$/i;
const PLAIN = /^(?:text|txt|plain|plaintext|output|log|latex|tex|markdown|md|)$/i;

// Longer than this is shown without colours: a draft is redrawn thirty times a second.
const LENGTH_MAX = 20000;

function pattern(language) {
  const comments = ["\\/\\/[^\\n]*", "\\/\\*[\\s\\S]*?(?:\\*\\/|$)", "<!--[\\s\\S]*?(?:-->|$)"];
  if (!HASH_IS_CODE.test(language)) comments.push("(?<![\\w$&])#[^\\n]*");
  if (DASHES.test(language)) comments.push("--[^\\n]*");
  // In Python two slashes divide.
  if (/^(?:py|python|bash|sh|yaml|yml|toml|ini)$/i.test(language)) comments.splice(0, 2);
  const strings = '"""[\\s\\S]*?(?:"""|$)|\'\'\'[\\s\\S]*?(?:\'\'\'|$)|"(?:\\\\.|[^"\\\\\\n])*"?|\'(?:\\\\.|[^\'\\\\\\n])*\'|`(?:\\\\.|[^`\\\\])*`';
  return new RegExp(`(?<comment>${comments.join("|")})|(?<string>${strings})|(?<number>\\b\\d[\\d_]*(?:\\.\\d+)?(?:e[+-]?\\d+)?\\b|\\b0x[\\da-f]+\\b)|(?<word>[\\p{L}_$][\\p{L}\\p{N}_$]*)(?<call>(?=\\())?`, "giu");
}

function kindOf({ comment, string, number, word, call }, language) {
  if (comment !== undefined) return "comment";
  if (string !== undefined) return "string";
  if (number !== undefined) return "number";
  // Only SQL shouts its keywords.
  if (WORDS.has(/^sql$/i.test(language) ? word.toLowerCase() : word) || word === "None" || word === "True" || word === "False") return "keyword";
  return call === undefined ? null : "call";
}

export function highlight(code, language = "") {
  const content = document.createDocumentFragment();
  if (PLAIN.test(language) || code.length > LENGTH_MAX) {
    content.append(code);
    return content;
  }
  let at = 0;
  for (const match of code.matchAll(pattern(language))) {
    const kind = kindOf(match.groups, language);
    if (kind === null) continue;
    content.append(code.slice(at, match.index), element("span", { class: `code-${kind}` }, match[0]));
    at = match.index + match[0].length;
  }
  content.append(code.slice(at));
  return content;
}
