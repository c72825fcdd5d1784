// What went wrong, in words: a sentence of the page's language, and what the service said.

import { t } from "./i18n.js";
import { ServiceError } from "./service.js";

const SENTENCES = new Set([401, 403, 404, 413, 429, 503, 504]);
const TOO_LONG = "string_above_max_length"; // what OpenAI's service says, too
const PATIENCE = 5; // seconds, where a busy service does not say how many

export function explain(error) {
  if (!(error instanceof ServiceError)) return { title: t("error.page"), detail: `${error}` };
  return { title: sentence(error), detail: error.message };
}

function sentence({ status, code, retryAfter }) {
  if (code === "unreachable" || code === "cut_off") return t(`error.${code}`);
  if (code === TOO_LONG) return t("error.413");
  const seconds = retryAfter ?? PATIENCE;
  if (SENTENCES.has(status)) return t(`error.${status}`, { seconds });
  return t(status >= 400 && status < 500 ? "error.400" : "error.500");
}
