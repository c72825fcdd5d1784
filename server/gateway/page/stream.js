// The captions stream: one JSON object a line, the last of type `done` or `error`.

import { ServiceError, ask } from "./service.js";

// Whole lines out of pieces of text that are cut anywhere.
export class Lines {
  #rest = "";

  push(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    return lines.filter((line) => line.trim() !== "");
  }

  end() {
    const line = this.#rest;
    this.#rest = "";
    return line.trim() === "" ? [] : [line];
  }
}

// The events of an answer as they come. Aborting the signal closes the connection, which cancels the request on the
// server. An answer that ends without its last line is an error, too.
export async function* speak(request, signal) {
  const response = await ask("v1/audio/captions", { body: request, signal });
  const decoder = new TextDecoder();
  const lines = new Lines();
  const reader = response.body.getReader();
  let complete = false;
  try {
    for (let ended = false; !ended; ) {
      const part = await readFrom(reader);
      ended = part.done;
      const text = ended ? decoder.decode() : decoder.decode(part.value, { stream: true });
      for (const line of [...lines.push(text), ...(ended ? lines.end() : [])]) {
        const event = JSON.parse(line);
        if (event.type === "error") throw new ServiceError(response.status, event.error);
        complete = event.type === "done";
        yield event;
      }
    }
  } finally {
    // Of a stream that has been read to its end this does nothing.
    reader.cancel().catch(() => {});
  }
  if (!complete) throw new ServiceError(0, { code: "cut_off" });
}

// A connection that breaks ends the answer too early, like one that was closed.
async function readFrom(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(0, { code: "cut_off" });
  }
}
