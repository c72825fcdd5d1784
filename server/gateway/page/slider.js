// A control that is left to the service until it is moved: the style then decides.

import { label, number, onLanguage, t } from "./i18n.js";

// What a voice can do where it does not say.
const LIMITS = { speed: [0.5, 2], pitch: [-12, 12], energy: [-12, 12] };
const NEUTRAL = { speed: 1, pitch: 0, energy: 0 };
const DIGITS = { speed: 2, pitch: 1, energy: 1 };

export class Slider {
  #touched = false;

  constructor(root, name) {
    this.name = name;
    this.field = root.querySelector(`#${name}-field`);
    this.input = root.querySelector(`#${name}`);
    this.output = root.querySelector(`#${name}-value`);
    this.button = root.querySelector(`[data-reset=${name}]`);
    this.input.addEventListener("input", () => this.#touch(true));
    this.button.addEventListener("click", () => {
      this.#touch(false);
      this.input.focus();
    });
    this.limit(LIMITS[name]);
    onLanguage(() => this.#show());
  }

  // What the voice can do; a control that it does not have is not shown.
  limit([low, high] = LIMITS[this.name]) {
    Object.assign(this.input, { min: low, max: high });
    this.field.hidden = low === high;
    if (this.field.hidden) this.#touched = false;
    this.#touch(this.#touched);
  }

  // Null: as the service thinks best.
  get value() {
    return this.#touched ? this.input.valueAsNumber : null;
  }

  #touch(touched) {
    this.#touched = touched;
    if (!touched) this.input.value = NEUTRAL[this.name];
    this.button.disabled = !touched;
    this.#show();
  }

  #show() {
    const value = this.input.valueAsNumber;
    const sign = this.name !== "speed" && value > 0 ? "+" : "";
    const shown = t(`${this.name}.value`, { n: sign + number(value, DIGITS[this.name]) });
    this.output.textContent = this.#touched ? shown : t("auto");
    this.input.setAttribute("aria-valuetext", this.output.textContent);
    label(this.button, `reset.${this.name}`);
    const { min, max } = this.input;
    this.input.style.setProperty("--filled", `${(100 * (value - min)) / (max - min)}%`);
  }
}
