// The page: puts its parts together.

import { Answer } from "./answer.js";
import { view } from "./canvas.js";
import { Captions } from "./captions.js";
import { fileName, save, wav } from "./download.js";
import { explain } from "./explain.js";
import { Form } from "./form.js";
import { known, label, number, onLanguage, say, start, t } from "./i18n.js";
import { Player } from "./player.js";
import { ask, onTokenWanted } from "./service.js";
import { Spectrogram } from "./spectrogram.js";
import { Status } from "./status.js";
import { askToken } from "./token.js";
import { Waveform } from "./waveform.js";

const SAMPLE_RATE = 24000; // of a voice that does not tell yet
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const CALM_PERIOD = 250; // ms between two pictures for those who want less motion
const WIDE = matchMedia("(min-width: 60rem)");

const $ = (id) => document.getElementById(id);

start($("language"));
const form = new Form($("form"));
const player = new Player();
const waveform = new Waveform($("waveform"));
const spectrogram = new Spectrogram($("mel"));
const captions = new Captions($("captions"), (seconds) => {
  player.seek(seconds);
  player.play();
});
new Status($("status"));
onTokenWanted(askToken);

let answer = null;
let failed = null;
let firstSound = null; // ms from the press to the first sample's sound
let message = ["say", null]; // of the last thing that happened, and its values
let picture = 0;

async function load() {
  try {
    const [voices, styles] = await Promise.all(
      ["v1/audio/voices", "v1/audio/styles"].map(async (path) => (await ask(path)).json()),
    );
    form.setVoices(voices.voices);
    form.setPresets(styles.styles);
  } catch (error) {
    fail(error);
  }
}

async function speakText() {
  const request = form.request();
  if (!request.input.trim()) {
    fail(null);
    form.text.focus();
    return;
  }
  stop();
  clear();
  const mine = new Answer(request);
  answer = mine;
  // Now, while the browser knows that the user pressed something.
  player.prepare(form.voice?.sample_rate || SAMPLE_RATE);
  tell("say.starting");
  show();
  try {
    await mine.receive({ open: (pcm) => open(mine, pcm), event: (event) => take(event) });
    player.finish();
    spectrogram.finish();
    if (!mine.pcm) tell("say.done", { seconds: 0 });
  } catch (error) {
    if (mine.stopped) return; // by the user, who knows
    player.finish();
    spectrogram.finish();
    fail(error);
  } finally {
    if (answer === mine) show();
  }
}

function open(mine, pcm) {
  waveform.open(pcm);
  spectrogram.open(pcm);
  player.open(pcm, (time) => {
    firstSound = time - mine.begun;
    show();
  });
}

function take(event) {
  if (event.clauses) captions.add(event.clauses);
  for (const notice of event.notices ?? []) addNotice(notice);
  player.grown();
  show();
  animate();
}

// What is being made or played ends; what there is stays.
function stop() {
  const running = answer !== null && answer.done === null && !answer.stopped && !failed;
  const sounding = ["playing", "waiting", "blocked"].includes(player.state);
  answer?.stop();
  player.finish();
  spectrogram.finish();
  if (sounding) player.pause();
  if (running || sounding) tell("say.stopped");
  show();
}

function clear() {
  [failed, firstSound] = [null, null];
  $("error").hidden = true;
  player.close();
  waveform.open(null);
  spectrogram.open(null);
  captions.clear();
  $("notices").replaceChildren();
  $("notices-box").hidden = true;
}

function addNotice({ kind, message: text }) {
  const line = document.createElement("li");
  const name = document.createElement("strong");
  name.dataset.kind = kind;
  name.textContent = known("notice", kind);
  line.append(name, ` ${text}`);
  $("notices").append(line);
  $("notices-box").hidden = false;
}

// Null: there is no text.
function fail(error) {
  failed = error ?? "empty";
  message = ["", null];
  showError();
  show();
}

function showError() {
  $("error").hidden = failed === null;
  if (failed === null) return;
  const { title, detail } = failed === "empty" ? { title: t("error.empty"), detail: "" } : explain(failed);
  $("error-title").textContent = title;
  $("error-detail").textContent = detail;
}

function tell(key, values = null) {
  message = [key, values];
}

const SAID = { playing: "say.speaking", waiting: "say.waiting", paused: "say.paused" };

// Everything that does not move.
function show() {
  const state = player.state;
  const busy = answer !== null && answer.done === null && !answer.stopped && !failed;
  $("player").dataset.state = state;
  $("stop").disabled = !busy && !["playing", "waiting", "blocked"].includes(state);
  $("blocked").hidden = state !== "blocked";
  label($("play"), ["playing", "waiting"].includes(state) ? "pause" : "play");
  for (const [id, ready] of [["wav", answer?.pcm && !busy], ["mp3", answer?.done && answer.pcm], ["srt", answer?.done?.srt]]) {
    $(id).disabled = !ready;
  }
  $("first").textContent = firstSound === null ? "–" : t("milliseconds", { n: number(firstSound, 0) });
  $("factor").textContent = answer?.pcm ? number(answer.factor, 2) : "–";
  $("length").textContent = answer?.pcm ? t("seconds", { n: number(answer.pcm.seconds, 1) }) : "–";
  const { voice, quality } = answer?.done ?? {};
  $("answered").textContent = voice ? [voice, quality && t(`quality.${quality}`)].filter(Boolean).join(" · ") : "–";
  showMessage(state, busy);
}

function showMessage(state, busy) {
  let [key, values] = message;
  if (key !== "say.stopped" && SAID[state]) [key, values] = [SAID[state], null];
  if (state === "ended" && answer.done) [key, values] = ["say.done", { seconds: number(answer.pcm.seconds, 1) }];
  if (failed && !busy) key = "";
  const text = key && key !== "say" ? t(key, values ?? {}) : "";
  // Those who listen to the page are told each state once.
  if ($("message").textContent !== text) $("message").textContent = text;
}

function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

// Everything that moves.
function draw() {
  const duration = answer?.pcm?.seconds ?? 0;
  const position = player.position;
  const shown = view(duration, position);
  waveform.draw(shown, position);
  const caughtUp = spectrogram.draw(shown, position);
  captions.light(answer?.pcm && player.state !== "idle" ? position : -1);
  $("seek").max = duration;
  $("seek").value = position;
  $("seek").style.setProperty("--filled", `${duration ? (100 * position) / duration : 0}%`);
  $("seek").setAttribute("aria-valuetext", t("seconds", { n: number(position, 1) }));
  $("time").textContent = `${clock(position)} / ${clock(duration)}`;
  return caughtUp;
}

function animate() {
  if (picture) return;
  const step = () => {
    picture = 0;
    const caughtUp = draw();
    if (["playing", "waiting"].includes(player.state) || !caughtUp) animate();
  };
  picture = CALM.matches ? setTimeout(step, CALM_PERIOD) : requestAnimationFrame(step);
}

async function saveMp3() {
  const mine = answer;
  $("mp3").disabled = true;
  try {
    tell("say.encoding");
    $("message").textContent = t("say.encoding");
    const response = await ask("v1/audio/speech", { body: { ...mine.request, response_format: "mp3" } });
    keep(await response.blob(), "mp3", mine);
  } catch (error) {
    fail(error);
  } finally {
    show();
  }
}

function keep(blob, ending, mine = answer) {
  const name = fileName(mine.request.input, ending);
  save(blob, name);
  tell("say.saved", { name });
  $("message").textContent = t("say.saved", { name });
}

// A click on a picture of the audio plays from there.
function seekTo(event) {
  const duration = answer?.pcm?.seconds ?? 0;
  const { start: from, length } = view(duration, player.position);
  player.seek(from + (event.offsetX / event.target.clientWidth) * length);
  draw();
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  speakText();
});
$("stop").addEventListener("click", stop);
$("play").addEventListener("click", () => (["playing", "waiting"].includes(player.state) ? player.pause() : player.play()));
$("seek").addEventListener("input", () => {
  player.seek($("seek").valueAsNumber);
  draw();
});
for (const id of ["waveform", "mel"]) $(id).addEventListener("click", seekTo);
$("wav").addEventListener("click", () => keep(wav(answer.pcm), "wav"));
$("srt").addEventListener("click", () => keep(new Blob([answer.done.srt], { type: "application/x-subrip" }), "srt"));
$("mp3").addEventListener("click", saveMp3);
document.addEventListener("keydown", (event) => {
  if ($("token-dialog").open || event.isComposing) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    speakText();
  } else if (event.key === "Escape") stop();
});
player.addEventListener("change", () => {
  show();
  animate();
});
new ResizeObserver(draw).observe($("waveform"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
const openSettings = () => {
  $("settings").open = WIDE.matches;
};
WIDE.addEventListener("change", openSettings);
openSettings();
onLanguage(() => {
  showError();
  show();
  draw();
  for (const name of document.querySelectorAll("#notices strong")) name.textContent = known("notice", name.dataset.kind);
});
load();
