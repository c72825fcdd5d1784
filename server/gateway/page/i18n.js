// The page's language: the browser's, or the one that was chosen here before.

import { TEXTS } from "./texts.js";

const KEY = "tts-language";
const TAGS = { zh: "zh-CN", en: "en" };
const OTHERS = { zh: "en", en: "zh" };

let language = remembered() ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
const listeners = [];

export function t(key, values = {}) {
  return TEXTS[language][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

// The text of a key that the server's words make; the server's own word where the page knows none.
export function known(prefix, word) {
  return TEXTS[language][`${prefix}.${word}`] ?? word;
}

// `redraw` writes what is not in the markup, now and after each change of language.
export function onLanguage(redraw) {
  listeners.push(redraw);
  redraw();
}

export function number(value, digits) {
  return value.toLocaleString(TAGS[language], { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

// Write the markup's texts, and make `button` switch between the two languages.
export function start(button) {
  button.addEventListener("click", () => {
    language = OTHERS[language];
    remember();
    write(button);
    for (const redraw of listeners) redraw();
  });
  write(button);
}

// Texts whose key changes are told by their element's attribute, so that a change of language finds them.
export function say(element, key) {
  element.dataset.text = key;
  element.textContent = t(key);
}

export function label(element, key) {
  element.dataset.label = key;
  element.setAttribute("aria-label", t(key));
}

function write(button) {
  document.documentElement.lang = TAGS[language];
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-text]")) say(element, element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) label(element, element.dataset.label);
  for (const element of document.querySelectorAll("[data-placeholder]")) {
    element.placeholder = t(element.dataset.placeholder);
  }
  const other = OTHERS[language];
  button.lang = TAGS[other];
  button.textContent = { zh: "中文", en: "English" }[other];
}

function remembered() {
  try {
    const kept = localStorage.getItem(KEY);
    return kept in TEXTS ? kept : null;
  } catch {
    return null;
  }
}

function remember() {
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // The choice holds until the page is left.
  }
}
