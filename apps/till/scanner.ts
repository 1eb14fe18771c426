/**
 * A scanner is a keyboard that types very fast and ends with Enter. What it typed is told apart
 * from what a person types by its pace: nobody types eight keys at less than 50 ms each.
 */
const PACE_MS = 50;
const SHORTEST = 8;

export class Scanner {
  #text = '';
  #last = -Infinity;

  /**
   * A key that was pressed at a moment (milliseconds). Enter after a fast run of keys gives what
   * was scanned; every other key gives null.
   */
  press(key: string, at: number): string | null {
    const fast = at - this.#last <= PACE_MS;
    this.#last = at;
    if (key === 'Enter') {
      const text = fast ? this.#text : '';
      this.#text = '';
      return text.length >= SHORTEST ? text : null;
    }
    if (key.length !== 1) this.#text = '';
    else this.#text = fast ? this.#text + key : key;
    return null;
  }
}

/** What a code on a package or a receipt is about. */
export type Scanned =
  | { kind: 'gtin'; gtin: string }
  | { kind: 'payment'; id: string }
  | { kind: 'payCode'; digits: string };

export function meaningOf(text: string): Scanned | null {
  const payment = /^pay_[0-9a-f]{32}$/.exec(text.trim().toLowerCase());
  if (payment !== null) return { kind: 'payment', id: payment[0] };
  if (/^28[0-9]{16}$/.test(text)) return { kind: 'payCode', digits: text };
  if (/^(?:[0-9]{8}|[0-9]{12,14})$/.test(text) && isGtin(text)) return { kind: 'gtin', gtin: text };
  return null;
}

/** Whether the check digit is right (GS1 General Specifications, 7.9). */
export function isGtin(digits: string): boolean {
  const weighed = [...digits]
    .reverse()
    .reduce((sum, digit, at) => sum + Number(digit) * (at % 2 === 0 ? 1 : 3), 0);
  return weighed % 10 === 0;
}
