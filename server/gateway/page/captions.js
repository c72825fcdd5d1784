// The text as it is spoken: its words light up with the audio, and a click on one plays from there.

// What stands before a word, and what of it opens a quotation or a bracket around the word.
const OPENING = /^(.*?)([“‘《〈「『（【([{<]*)$/su;

// A clause's text cut after each word and its punctuation: { text, start, end }. A word need not occur in the text (a
// number is spoken as words): the text up to the next word that does occur goes with it.
export function pieces(clause) {
  const found = [];
  let at = 0;
  let lost = null; // the times of words that do not occur
  const add = (text, start, end) => text && found.push({ text, start, end });
  for (const word of clause.words ?? []) {
    const place = word.text.trim() ? clause.text.indexOf(word.text, at) : -1;
    if (place < 0) {
      lost = { start: lost?.start ?? word.start, end: word.end };
      continue;
    }
    const gap = clause.text.slice(at, place);
    const [, closing, opening] = OPENING.exec(gap);
    let lead = "";
    if (lost && gap) add(gap, lost.start, lost.end);
    else if (found.length === 0) lead = gap;
    else [found.at(-1).text, lead] = [found.at(-1).text + closing, opening];
    lost = null;
    at = place + word.text.length;
    add(lead + word.text, word.start, word.end);
  }
  const rest = clause.text.slice(at);
  if (found.length === 0) add(rest, lost?.start ?? clause.start, lost?.end ?? clause.end);
  else if (lost) add(rest, lost.start, lost.end);
  else found.at(-1).text += rest;
  return found;
}

// The last of the words, in order of their starts, that begins at `seconds` or before; -1 before the first.
export function wordAt(words, seconds) {
  let low = 0;
  let high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].start <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const PARAGRAPH = 300; // characters; a browser lays out what is new, and not all of a long text again

export class Captions {
  #paragraph = null;
  #words = [];
  #buttons = [];
  #now = -1; // the word that is lit
  #stop = 0; // the one that the Tab key reaches

  // `onPick` is told the start of the word that was chosen, in seconds.
  constructor(box, onPick) {
    this.box = box;
    box.addEventListener("click", (event) => {
      const index = this.#buttons.indexOf(event.target.closest("button"));
      if (index < 0) return;
      this.#reach(index);
      onPick(this.#words[index].start);
    });
    box.addEventListener("keydown", (event) => this.#move(event));
  }

  clear() {
    this.box.replaceChildren();
    this.#paragraph = null;
    [this.#words, this.#buttons, this.#now, this.#stop] = [[], [], -1, 0];
  }

  add(clauses) {
    for (const clause of clauses) this.#addClause(clause);
  }

  #addClause(clause) {
    if (!this.#paragraph || this.#paragraph.textContent.length > PARAGRAPH) {
      this.#paragraph = document.createElement("p");
      this.box.append(this.#paragraph);
    }
    for (const piece of pieces(clause)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = piece.text;
      button.tabIndex = this.#words.length === 0 ? 0 : -1;
      this.#words.push(piece);
      this.#buttons.push(button);
      this.#paragraph.append(button);
    }
  }

  // Show what is being said at this time of the audio.
  light(seconds) {
    const now = wordAt(this.#words, seconds);
    if (now === this.#now) return;
    const [from, to] = [Math.min(now, this.#now), Math.max(now, this.#now)];
    for (let i = Math.max(from, 0); i <= to; i++) this.#buttons[i].classList.toggle("said", i < now);
    this.#buttons[this.#now]?.removeAttribute("aria-current");
    this.#now = now;
    this.#buttons[now]?.setAttribute("aria-current", "true");
    this.#follow(now);
  }

  // Keep the lit word in sight inside the box; the page itself stays where it is.
  #follow(index) {
    const word = this.#buttons[index];
    if (!word || this.box.contains(document.activeElement)) return;
    const [inside, box] = [word.getBoundingClientRect(), this.box.getBoundingClientRect()];
    if (inside.top < box.top || inside.bottom > box.bottom) {
      this.box.scrollTop += inside.top - box.top - this.box.clientHeight / 3;
    }
  }

  #move(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || this.#buttons.length === 0) return;
    event.preventDefault();
    this.#reach(Math.min(Math.max(this.#stop + step, 0), this.#buttons.length - 1));
    this.#buttons[this.#stop].focus();
  }

  #reach(index) {
    this.#buttons[this.#stop].tabIndex = -1;
    this.#stop = index;
    this.#buttons[index].tabIndex = 0;
  }
}
