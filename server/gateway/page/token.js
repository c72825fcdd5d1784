// Asks the user for a token when the gateway wants one.

import { say } from "./i18n.js";

// The token, or null when the user does not want to. `refused`: the last one was not accepted.
export function askToken(refused) {
  const dialog = document.getElementById("token-dialog");
  const field = document.getElementById("token");
  say(document.getElementById("token-reason"), refused ? "token.refused" : "token.wanted");
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  field.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve((dialog.returnValue && field.value.trim()) || null), { once: true });
  });
}
