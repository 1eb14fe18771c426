/** What of the history the phone keeps, so that it is read and searched without a network, too. */
import { read, write } from '../lib/store.ts';
import type { Line } from './wallet.svelte.ts';

const MOST = 500;

const place = (currency: string): string => `wallet.history.${currency}`;

/** The movements of a balance that are kept, newest first. */
export async function keptLines(currency: string | undefined): Promise<Line[]> {
  if (currency === undefined) return [];
  return (await read<Line[]>(place(currency))) ?? [];
}

/** Keep these as well, the newest of all; of one that is kept already only its message changes. */
export async function keepLines(currency: string, lines: Line[]): Promise<void> {
  await write(place(currency), merged(lines, await keptLines(currency)));
}

/** Two lists of movements as one: by number, the newest first, and not more than are kept. */
export function merged(lines: Line[], kept: Line[]): Line[] {
  const all = new Map([...kept, ...lines].map((line) => [line.number, line]));
  return [...all.values()].sort((one, other) => other.number - one.number).slice(0, MOST);
}
