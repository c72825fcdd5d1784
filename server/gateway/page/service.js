// Calls of the gateway. Addresses are relative to the page, so that a proxy may put it under any path.

const TOKEN = "tts-token";

// An answer that is not the one asked for; status 0: there was none.
export class ServiceError extends Error {
  constructor(status, error = {}, retryAfter = null) {
    super(error.message ?? "");
    this.name = "ServiceError";
    this.status = status;
    this.code = error.code ?? "";
    this.retryAfter = retryAfter;
  }
}

// The token of this tab; a browser that forbids storage keeps it until the page is left.
let token = stored();

export function setToken(value) {
  token = value;
  try {
    sessionStorage.setItem(TOKEN, value);
  } catch {
    // Without storage there is only the variable.
  }
}

// Who asks the user for a token: gives it, or null when the user does not want to.
let tokenAsker = async () => null;
let asking = null;

export function onTokenWanted(asker) {
  tokenAsker = asker;
}

// The response to a GET, or to a POST of `body` as JSON. Asks for a token where the gateway wants another one.
export async function ask(path, { body, signal } = {}) {
  for (;;) {
    const used = token;
    const response = await send(path, body, signal);
    if (response.ok) return response;
    const error = await failure(response);
    if (error.status !== 401) throw error;
    if (used === token && !(await newToken(used))) throw error;
  }
}

// What a GET answers, whatever its status, if it is JSON.
export async function read(path, signal) {
  const response = await send(path, undefined, signal);
  return response.json();
}

async function send(path, body, signal) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const request = { method: body === undefined ? "GET" : "POST", headers, signal, cache: "no-store" };
  if (body !== undefined) request.body = JSON.stringify(body);
  try {
    return await fetch(new URL(path, document.baseURI), request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(0, { code: "unreachable" });
  }
}

async function failure(response) {
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  let error;
  try {
    error = (await response.json()).error;
  } catch {
    // Not the gateway's own answer but, say, a proxy's: the status has to do.
  }
  return new ServiceError(response.status, error ?? {}, Number.isNaN(seconds) ? null : seconds);
}

// Requests that are refused together ask once.
async function newToken(refused) {
  asking ??= tokenAsker(refused !== "").finally(() => {
    asking = null;
  });
  const given = await asking;
  if (!given) return false;
  setToken(given);
  return true;
}

function stored() {
  try {
    return sessionStorage.getItem(TOKEN) ?? "";
  } catch {
    return "";
  }
}
