// A voice message: press the microphone, speak, press again to send. Escape lets it go.

import { durationLabel } from "./format.js";
import { toast } from "./overlays.js";

// Telegram's own is Ogg; a browser that cannot make one records in its own container.
const TYPES = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"];

export class Recorder {
  /** `onVoice(file, seconds)` sends what was recorded. */
  constructor({ button, field, onVoice }) {
    Object.assign(this, { button, field, onVoice });
    this.words = field.placeholder;
    button.addEventListener("click", () => (this.media ? this.media.stop() : this.start()));
  }

  async start() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      toast("The browser gave no microphone");
      return;
    }
    const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one));
    const media = new MediaRecorder(stream, type ? { mimeType: type } : {});
    const pieces = [];
    const began = performance.now();
    this.media = media;
    this.kept = true;
    media.addEventListener("dataavailable", ({ data }) => pieces.push(data));
    media.addEventListener("stop", () => {
      for (const track of stream.getTracks()) track.stop();
      clearInterval(this.clock);
      this.media = null;
      this.show(null);
      const [mime] = media.mimeType.split(";");
      const file = new File(pieces, `voice.${mime.split("/")[1]}`, { type: mime });
      if (this.kept) this.onVoice(file, Math.max(1, Math.round((performance.now() - began) / 1000)));
    });
    media.start();
    this.show(0);
    this.clock = setInterval(() => this.show(Math.round((performance.now() - began) / 1000)), 500);
  }

  /** Ends the recording and sends it, if there is one. */
  send() {
    this.media?.stop();
  }

  cancel() {
    this.kept = false;
    this.media?.stop();
  }

  show(seconds) {
    const on = seconds !== null;
    this.button.setAttribute("aria-pressed", String(on));
    this.button.setAttribute("aria-label", on ? "Send the voice message" : "Record a voice message");
    this.button.title = on ? "Send; Escape lets it go" : "";
    this.field.placeholder = on ? `Recording… ${durationLabel(seconds)}` : this.words;
  }
}
