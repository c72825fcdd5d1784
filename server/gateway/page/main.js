// The page: puts its parts together.

import { explain } from "./explain.js";
import { Files } from "./files.js";
import { Form } from "./form.js";
import { number, onLanguage, start, t } from "./i18n.js";
import { Panel } from "./panel.js";
import { Player } from "./player.js";
import { ask, onTokenWanted } from "./service.js";
import { Session } from "./session.js";
import { Status } from "./status.js";
import { askToken } from "./token.js";

const SAMPLE_RATE = 24000; // of a voice that does not tell yet
const WIDE = matchMedia("(min-width: 60rem)");
const EMPTY = "empty"; // in place of an error: there is no text

const $ = (id) => document.getElementById(id);

start($("language"));
const session = new Session(new Player());
const form = new Form($("form"));
new Panel($("player"), session);
new Files($("player"), session, fail);

let failure = null;
let missing = true; // what the service has is still to be read

onTokenWanted(askToken);

async function load() {
  missing = false;
  try {
    const paths = ["v1/audio/voices", "v1/audio/styles"];
    const [{ voices }, { styles }] = await Promise.all(paths.map(async (path) => (await ask(path)).json()));
    form.setVoices(voices);
    form.setPresets(styles);
    fail(null);
  } catch (error) {
    // A service that is away may come back; a token that the user does not have will not.
    missing = error.status === 0 || error.status >= 500;
    fail(error);
  }
}

function speak() {
  if (!form.text.value.trim()) {
    fail(EMPTY);
    form.text.focus();
    return;
  }
  session.speak(form.request(), form.voice?.sample_rate || SAMPLE_RATE);
}

function fail(error) {
  failure = error;
  showFailure();
}

function showFailure() {
  $("error").hidden = failure === null;
  if (failure === null) return;
  const { title, detail } = failure === EMPTY ? { title: t("error.empty"), detail: "" } : explain(failure);
  $("error-title").textContent = title;
  $("error-detail").textContent = detail;
}

const SAID = { playing: "say.speaking", waiting: "say.waiting", paused: "say.paused" };

// What is going on, for those who do not see or hear it.
function news() {
  const { answer, busy, player } = session;
  if (answer === null || session.error) return "";
  if (busy && answer.pcm === null) return t("say.starting");
  if (answer.stopped && player.state !== "playing") return t("say.stopped");
  if (player.state === "ended") return t("say.done", { seconds: number(answer.pcm.seconds, 1) });
  return SAID[player.state] ? t(SAID[player.state]) : "";
}

function show() {
  $("stop").disabled = !session.busy && !session.audible;
  // Each state is told once, though it is looked at often.
  const text = news();
  if ($("message").textContent !== text) $("message").textContent = text;
}

session.addEventListener("start", () => fail(null));
// More is known of a voice once it is loaded.
session.addEventListener("event", ({ detail }) => detail.type === "done" && form.voice?.state !== "ready" && load());
session.addEventListener("change", () => {
  if (session.error && session.error !== failure) fail(session.error);
  show();
});
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  speak();
});
$("stop").addEventListener("click", () => session.stop());
document.addEventListener("keydown", (event) => {
  if ($("token-dialog").open || event.isComposing) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    speak();
  } else if (event.key === "Escape") session.stop();
});
const openSettings = () => {
  $("settings").open = WIDE.matches;
};
WIDE.addEventListener("change", openSettings);
openSettings();
onLanguage(() => {
  showFailure();
  show();
});
load();
new Status($("status"), () => missing && load());
