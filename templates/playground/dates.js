// The day stands over the conversation while the person scrolls, and steps out of the way when they read.

const SHOWN_MS = 1200;

/** `wanted()` is false while the page itself moves to keep a growing answer in view. */
export function bindDates(viewport, log, wanted) {
  let timer = null;

  function mark() {
    for (const section of log.children) {
      const label = section.firstElementChild;
      // A label that has left the top of its day is floating over messages.
      const floating = label.getBoundingClientRect().top - section.getBoundingClientRect().top > 2;
      label.toggleAttribute("data-floating", floating);
    }
  }

  viewport.addEventListener("scroll", () => {
    mark();
    viewport.toggleAttribute("data-scrolling", wanted());
    clearTimeout(timer);
    timer = setTimeout(() => viewport.removeAttribute("data-scrolling"), SHOWN_MS);
  }, { passive: true });
}
