/** Where the marks of a chart stand. Values are whole numbers (money in minor units, or counts). */

/**
 * A round number at or above the largest value, for the top of a scale, which two parts divide
 * into whole numbers: 1, 2 or 5 times a power of ten, at least 2.
 */
export function scaleTop(largest: number): number {
  let power = 1;
  while (power * 10 < largest) power *= 10;
  const top = [1, 2, 4, 5, 10].map((factor) => factor * power).find((one) => one >= largest) ?? 10;
  return Math.max(2, top % 2 === 0 ? top : top + 1);
}

/** How many names fit below a chart of this width: every n-th is written, and always the first. */
export function everyNth(count: number, width: number, nameWidth: number): number {
  const fit = Math.max(1, Math.floor(width / nameWidth));
  return Math.max(1, Math.ceil(count / fit));
}

const LETTER_WIDTH = 6.5;
/** Letters of Chinese and Japanese are as wide as they are high. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uff60\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** A name in so many pixels: what does not fit is left out at its end. */
export function fitted(name: string, width: number): string {
  const letters = [...name];
  let room = width / LETTER_WIDTH;
  const over = letters.findIndex((letter) => (room -= WIDE.test(letter) ? 2 : 1) < 0);
  if (over === -1) return name;
  const kept = letters.slice(0, Math.max(1, over - 1)).join('');
  return `${kept.trimEnd()}…`;
}
