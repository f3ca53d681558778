// Keeps the newest message in view only while the person is at the bottom, and lets new lines slide in from below.

import { reducedMotion } from "./dom.js";

// Nearer to the bottom than this counts as "at the bottom": half a bubble, so a stray wheel tick does not unpin.
const NEAR = 60;
// What is left of the slide after each 16 ms frame.
const EASE = 0.8;
const FRAME = 1000 / 60;

export class Scroller {
  constructor({ viewport, flow, jump }) {
    Object.assign(this, { viewport, flow, jump });
    this.pinned = true;
    this.gliding = false;
    this.unread = 0;
    this.offset = 0;
    this.quiet = true;
    this.height = 0;
    this.top = 0;
    const observer = new ResizeObserver(() => this.resized());
    observer.observe(flow);
    observer.observe(viewport);
    viewport.addEventListener("scroll", () => this.scrolled(), { passive: true });
    // On the way down the page is not at the bottom yet, but means to be; only the person's own hand stops that.
    for (const type of ["scrollend", "wheel", "touchstart", "keydown"]) {
      viewport.addEventListener(type, () => { this.gliding = false; }, { passive: true });
    }
    jump.addEventListener("click", () => this.toBottom({ smooth: true }));
  }

  /** Where the bottom is. scrollHeight would also count the slide under way, which hangs below for a moment. */
  bottom() {
    return Math.max(0, this.flow.parentElement.offsetHeight - this.viewport.clientHeight);
  }

  /** The next growth is shown without a slide: a chat just opened stands still. */
  still() {
    this.quiet = true;
    this.pinned = true;
    this.setUnread(0);
  }

  resized() {
    const height = this.flow.offsetHeight;
    const grown = height - this.height;
    this.height = height;
    if (this.pinned) {
      this.viewport.scrollTop = this.bottom();
      if (!this.quiet) this.slide(grown);
    }
    if (grown !== 0) this.quiet = false;
    this.showJump();
  }

  scrolled() {
    if (this.gliding) return;
    const wasPinned = this.pinned;
    const { scrollTop } = this.viewport;
    if (this.bottom() - scrollTop < NEAR) this.pinned = true;
    // Only who scrolls up leaves the bottom: a picture that has just grown below is news of the same page.
    else if (scrollTop < this.top) this.pinned = false;
    this.top = scrollTop;
    if (this.pinned && !wasPinned) this.setUnread(0);
    this.showJump();
  }

  slide(distance) {
    if (reducedMotion() || document.hidden || Math.abs(distance) > this.viewport.clientHeight) return;
    const running = Math.abs(this.offset) > 0;
    this.offset += distance;
    this.paint();
    if (!running) {
      this.last = performance.now();
      requestAnimationFrame((now) => this.step(now));
    }
  }

  step(now) {
    this.offset *= EASE ** Math.max(0, (now - this.last) / FRAME);
    this.last = now;
    if (Math.abs(this.offset) < 0.5) this.offset = 0;
    this.paint();
    if (this.offset !== 0) requestAnimationFrame((next) => this.step(next));
  }

  paint() {
    this.flow.style.transform = this.offset === 0 ? "" : `translateY(${this.offset.toFixed(1)}px)`;
  }

  toBottom({ smooth = false } = {}) {
    this.pinned = true;
    this.setUnread(0);
    const distance = this.bottom() - this.viewport.scrollTop;
    this.gliding = smooth && distance > 0 && !reducedMotion();
    this.viewport.scrollTo({ top: this.bottom(), behavior: this.gliding ? "smooth" : "instant" });
  }

  /** A message arrived; while the person reads further up it is only counted. */
  arrived() {
    if (!this.pinned) this.setUnread(this.unread + 1);
  }

  setUnread(count) {
    this.unread = count;
    this.jump.dataset.unread = count > 0 ? count : "";
    this.jump.setAttribute("aria-label", count > 0 ? `Jump to the latest message, ${count} new` : "Jump to the latest message");
    this.showJump();
  }

  showJump() {
    this.jump.hidden = this.pinned;
  }
}
