// What the user hears: one answer at a time, received and played.
//
// Events: `open` when the first audio of an answer is there, `event` for each line of it, `change` for the rest.

import { Answer } from "./answer.js";

export class Session extends EventTarget {
  answer = null;
  error = null; // of the last answer
  firstSound = null; // ms from the press to the first sample's sound

  constructor(player) {
    super();
    this.player = player;
    player.addEventListener("change", () => this.#tell("change"));
  }

  // Whether the service is at work for the user.
  get busy() {
    return this.answer !== null && this.answer.done === null && !this.answer.stopped && !this.error;
  }

  get audible() {
    return ["playing", "waiting", "blocked"].includes(this.player.state);
  }

  // Must be called by a user's gesture, as the player says.
  async speak(request, sampleRate) {
    this.stop();
    this.player.close();
    const answer = new Answer(request);
    [this.answer, this.error, this.firstSound] = [answer, null, null];
    this.#tell("start");
    this.#tell("change");
    try {
      const received = answer.receive({ open: (pcm) => this.#open(pcm), event: (event) => this.#take(event) });
      this.player.prepare(sampleRate); // while the request is on its way
      await received;
    } catch (error) {
      if (answer.stopped) return; // by the user, who knows
      this.error = error;
    }
    this.player.finish();
    this.#tell("change");
  }

  // What is being made or played ends; what is there stays.
  stop() {
    if (this.busy) this.answer.stop();
    this.player.finish();
    if (this.audible) this.player.pause();
    this.#tell("change");
  }

  #open(pcm) {
    const { begun } = this.answer;
    this.player.open(pcm, (time) => {
      this.firstSound = time - begun;
      this.#tell("change");
    });
    this.#tell("open");
  }

  #take(event) {
    this.player.grown();
    this.dispatchEvent(new CustomEvent("event", { detail: event }));
    this.#tell("change");
  }

  #tell(type) {
    this.dispatchEvent(new Event(type));
  }
}
