// The buttons that give files.

import { fileName, save, wav } from "./download.js";
import { onLanguage, t } from "./i18n.js";
import { ask } from "./service.js";

export class Files {
  #said = null; // the key and the values of the last message
  #encoding = false;

  // `fail` is told what went wrong.
  constructor(root, session, fail) {
    this.root = root;
    this.session = session;
    this.fail = fail;
    this.#at("wav").addEventListener("click", () => this.#keep(wav(session.answer.pcm), "wav"));
    this.#at("mp3").addEventListener("click", () => this.#mp3());
    this.#at("srt").addEventListener("click", () => {
      this.#keep(new Blob([session.answer.done.srt], { type: "application/x-subrip" }), "srt");
    });
    session.addEventListener("start", () => this.#say(null));
    session.addEventListener("change", () => this.#show());
    onLanguage(() => this.#say(this.#said));
  }

  #at(id) {
    return this.root.querySelector(`#${id}`);
  }

  #show() {
    const { answer, busy } = this.session;
    this.#at("wav").disabled = busy || !answer?.pcm;
    this.#at("mp3").disabled = this.#encoding || !answer?.pcm || !answer.done;
    this.#at("srt").disabled = !answer?.done?.srt;
  }

  // The gateway encodes the same request: the audio is a function of it.
  async #mp3() {
    const { request } = this.session.answer;
    this.#encoding = true;
    this.#show();
    this.#say(["files.encoding", {}]);
    try {
      const response = await ask("v1/audio/speech", { body: { ...request, response_format: "mp3" } });
      this.#keep(await response.blob(), "mp3", request);
    } catch (error) {
      this.#say(null);
      this.fail(error);
    }
    this.#encoding = false;
    this.#show();
  }

  #keep(blob, ending, request = this.session.answer.request) {
    const name = fileName(request.input, ending);
    save(blob, name);
    this.#say(["files.saved", { name }]);
  }

  #say(said) {
    this.#said = said;
    this.#at("files-message").textContent = said ? t(...said) : "";
  }
}
