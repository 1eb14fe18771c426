/** The basket at the pad: kept on this device until it is charged or cleared. */
import { forget, read, write } from '../lib/store.ts';
import type { Line } from './basket.ts';

interface Kept {
  lines: Line[];
  currency: string;
}

const BASKET = 'till.basket';

class Basket {
  lines = $state.raw<Line[]>([]);
  /** in which its prices are, or the next one's will be; null: the shop's first */
  currency = $state<string | null>(null);

  /** Take up what was kept, where one may still pay in its currency. */
  async start(currencies: readonly string[]): Promise<void> {
    const kept = await read<Kept>(BASKET);
    if (kept === undefined || !currencies.includes(kept.currency)) return;
    this.lines = kept.lines;
    this.currency = kept.currency;
  }

  put(lines: Line[], currency: string): void {
    if (lines.length === 0) {
      this.clear();
      return;
    }
    this.lines = lines;
    this.currency = currency;
    // A browser that keeps nothing has it as long as the page is open.
    write(BASKET, { lines, currency } satisfies Kept).catch(() => undefined);
  }

  clear(): void {
    this.lines = [];
    forget(BASKET).catch(() => undefined);
  }
}

export const basket = new Basket();
