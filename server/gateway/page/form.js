// The text and how it is to be spoken. Shows what the chosen voice has, and gives the request.

import { known, onLanguage, t } from "./i18n.js";
import { Slider } from "./slider.js";
import { EXAMPLES } from "./texts.js";

const QUALITIES = ["balanced", "high", "fast"]; // the first that a voice has is chosen
const OWN = "\n"; // an instruction in the user's words; no preset has this name
const LARGEST_SEED = 2 ** 31 - 1;

export class Form {
  #voices = [];
  #presets = [];

  constructor(root) {
    this.root = root;
    this.text = this.#at("text");
    this.sliders = ["speed", "pitch", "energy"].map((name) => new Slider(root, name));
    this.text.value = EXAMPLES.weather;
    this.text.addEventListener("input", () => this.#count());
    for (const button of root.querySelectorAll("[data-example]")) {
      button.addEventListener("click", () => this.#example(EXAMPLES[button.dataset.example]));
    }
    this.#at("voice").addEventListener("change", () => this.#fit());
    this.#at("preset").addEventListener("change", () => this.#preset());
    this.#at("style").addEventListener("input", () => this.#ownStyle());
    this.#at("dice").addEventListener("click", () => {
      this.#at("seed").value = Math.floor(Math.random() * (LARGEST_SEED + 1));
    });
    root.addEventListener("change", () => this.#summarise());
    onLanguage(() => this.#write());
  }

  setVoices(voices) {
    this.#voices = voices;
    this.#listVoices();
    this.#fit();
  }

  setPresets(presets) {
    this.#presets = presets;
    this.#listPresets();
  }

  // What is known of the chosen voice, or nothing.
  get voice() {
    return this.#voices.find((voice) => voice.name === this.#at("voice").value);
  }

  // What the gateway is asked for; what was left alone is left out.
  request() {
    const values = {
      input: this.text.value,
      voice: this.#at("voice").value,
      quality: this.root.querySelector("[name=quality]:checked")?.value,
      style: this.#style(),
      speaker: this.#at("speaker").value,
      emotion: this.#at("emotion").value,
      attributes: this.#attributes(),
      seed: this.#seed(),
    };
    for (const slider of this.sliders) values[slider.name] = slider.value;
    return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value != null));
  }

  #at(id) {
    return this.root.querySelector(`#${id}`);
  }

  #write() {
    this.#listVoices();
    this.#listPresets();
    this.#fit();
    this.#count();
  }

  #count() {
    this.#at("count").textContent = t("count", { n: [...this.text.value].length });
  }

  #example(text) {
    this.text.value = text;
    this.#count();
    this.text.focus();
  }

  #listVoices() {
    const options = this.#voices.map(({ name, state }) => {
      return { value: name, text: state === "ready" ? name : t(`voice.${state}`, { name }), disabled: state === "broken" };
    });
    const usable = this.#voices.filter((voice) => voice.state !== "broken");
    const first = usable.find((voice) => voice.state === "ready") ?? usable[0];
    fill(this.#at("voice"), options, first?.name);
  }

  #listPresets() {
    const presets = this.#presets.map(({ name }) => ({ value: name, text: name }));
    const ends = [{ value: "", text: t("preset.none") }, { value: OWN, text: t("preset.own") }];
    fill(this.#at("preset"), [ends[0], ...presets, ends[1]]);
  }

  // The controls of the chosen voice. Nothing is known of one that is not loaded: it may have any quality.
  #fit() {
    const voice = this.voice ?? {};
    for (const name of ["speaker", "emotion"]) {
      const values = voice[`${name}s`] ?? [];
      const options = values.map((value) => ({ value, text: value }));
      fill(this.#at(name), [{ value: "", text: t("unset") }, ...options]);
      this.#at(`${name}-field`).hidden = values.length < 2;
    }
    const had = voice.qualities?.length ? voice.qualities : QUALITIES;
    for (const radio of this.root.querySelectorAll("[name=quality]")) radio.disabled = !had.includes(radio.value);
    if (!this.root.querySelector("[name=quality]:checked:enabled")) {
      const first = QUALITIES.find((quality) => had.includes(quality));
      this.root.querySelector(`[name=quality][value=${first}]`).checked = true;
    }
    for (const slider of this.sliders) slider.limit(voice.limits?.[slider.name]);
    this.#design(voice.attributes ?? {});
    this.#summarise();
  }

  #design(attributes) {
    const names = Object.keys(attributes);
    this.#at("design").hidden = names.length === 0;
    const before = this.#attributes();
    const rows = names.map((name) => {
      const select = document.createElement("select");
      Object.assign(select, { id: `attribute-${name}`, name, lang: "zh-CN" });
      const options = attributes[name].map((value) => ({ value, text: value }));
      fill(select, [{ value: "", text: t("unset") }, ...options], before?.[name]);
      const label = document.createElement("label");
      label.htmlFor = select.id;
      label.textContent = known("attribute", name);
      const row = document.createElement("div");
      row.className = "pair";
      row.append(label, select);
      return row;
    });
    this.#at("attributes").replaceChildren(...rows);
  }

  #attributes() {
    const chosen = [...this.#at("attributes").querySelectorAll("select")].filter((select) => select.value);
    return chosen.length ? Object.fromEntries(chosen.map((select) => [select.name, select.value])) : null;
  }

  #seed() {
    const { valueAsNumber } = this.#at("seed");
    return this.#at("design").hidden || Number.isNaN(valueAsNumber) ? null : valueAsNumber;
  }

  // A preset shows its instruction, which may be edited: then it is the user's own.
  #preset() {
    const preset = this.#presets.find(({ name }) => name === this.#at("preset").value);
    if (preset) this.#at("style").value = preset.instruction;
    else if (this.#at("preset").value === OWN) this.#at("style").focus();
    else this.#at("style").value = "";
  }

  #ownStyle() {
    this.#at("preset").value = this.#at("style").value.trim() ? OWN : "";
  }

  #style() {
    const preset = this.#at("preset").value;
    return preset && preset !== OWN ? preset : this.#at("style").value.trim();
  }

  // What a phone shows of the closed settings.
  #summarise() {
    const quality = this.root.querySelector("[name=quality]:checked")?.value;
    const preset = this.#at("preset").selectedOptions[0];
    const parts = [this.#at("voice").value, quality && t(`quality.${quality}`), preset?.value && preset.text];
    this.#at("settings-summary").textContent = parts.filter(Boolean).join(" · ");
  }
}

// Put these options into a list; the choice stays where it is still there.
function fill(select, options, initial = "") {
  const chosen = select.value;
  const made = options.map(({ value, text, disabled = false }) => Object.assign(new Option(text, value), { disabled }));
  select.replaceChildren(...made);
  const wanted = made.find((option) => option.value === chosen && !option.disabled);
  select.value = wanted && chosen ? chosen : initial;
}
