/**
 * The pay code that a person shows, made on the phone without a network: the same as
 * tandem.codes.paycode on the server (docs/codes.md, "The person shows a code").
 *
 *     28 34567890 12345678      prefix, device index, one-time part
 *
 * one-time part = HMAC-SHA256(seed, "tandem paycode v1" ‖ index ‖ step ‖ counter), its first
 * 8 bytes as an unsigned big-endian integer, mod 10^8. The seed is a key that the browser holds and
 * does not give out, not even to this page.
 */

export const STEP_S = 15;
export const COUNTERS = 4;
/** For how long a code is shown: it lives at least 60 seconds. */
export const SHOWN_S = 60;

const PREFIX = '28';
const LABEL = new TextEncoder().encode('tandem paycode v1');
const PARTS = 100_000_000n;

/** When a code was made: its step and its counter. Marks of one device only grow. */
export interface Mark {
  step: number;
  counter: number;
}

/** A seed from its 32 bytes, kept by the browser so that it can sign and cannot be read. */
export async function importSeed(seed: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  if (seed.length !== 32) throw new RangeError('a seed has 32 bytes');
  return crypto.subtle.importKey('raw', seed, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
}

/** The 18 digits of a mark. */
export async function payCode(seed: CryptoKey, index: string, mark: Mark): Promise<string> {
  if (!/^[0-9]{8}$/.test(index)) throw new RangeError('an index has 8 digits');
  if (mark.counter < 0 || mark.counter >= COUNTERS) throw new RangeError('a counter is 0 to 3');
  const message = new Uint8Array(LABEL.length + 17);
  message.set(LABEL);
  message.set(new TextEncoder().encode(index), LABEL.length);
  const view = new DataView(message.buffer);
  view.setBigUint64(LABEL.length + 8, BigInt(mark.step));
  view.setUint8(LABEL.length + 16, mark.counter);
  const digest = new DataView(await crypto.subtle.sign('HMAC', seed, message));
  return `${PREFIX}${index}${(digest.getBigUint64(0) % PARTS).toString().padStart(8, '0')}`;
}

export function stepOf(unixSeconds: number): number {
  return Math.floor(unixSeconds / STEP_S);
}

/**
 * The mark of the next code after `last`, or null where this step has none left and the next step
 * is to be waited for. A clock that went back makes no older code: the step of `last` goes on.
 */
export function nextMark(last: Mark | null, unixSeconds: number): Mark | null {
  const step = stepOf(unixSeconds);
  if (last === null || step > last.step) return { step, counter: 0 };
  if (last.step - step > 1) return { step, counter: 0 };
  const counter = last.counter + 1;
  return counter < COUNTERS ? { step: last.step, counter } : null;
}

/** In groups of four, as people read it aloud. */
export function grouped(code: string): string {
  return code.replace(/(.{4})(?=.)/g, '$1 ');
}
