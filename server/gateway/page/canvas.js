// What the two drawings of the audio have in common: a canvas as sharp as the screen, and the time that it shows.

const SHORTEST = 2; // seconds
const LONGEST = 30;

export function sharp(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return canvas.getContext("2d");
}

// Colours come from the style sheet, so that they follow the theme.
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// The stretch of time to show: all of a short audio, of a long one half a minute that turns like pages.
export function view(duration, position) {
  if (duration <= LONGEST) return { start: 0, length: Math.max(duration, SHORTEST) };
  const last = Math.ceil(duration / LONGEST) - 1;
  return { start: LONGEST * Math.min(Math.floor(position / LONGEST), last), length: LONGEST };
}

export function drawHead(context, { start, length }, position) {
  const x = ((position - start) / length) * context.canvas.width;
  context.fillStyle = colour("--head");
  context.fillRect(Math.round(x) - 1, 0, Math.max(2, window.devicePixelRatio || 1), context.canvas.height);
}
