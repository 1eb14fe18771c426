/** What a customer buys: lines of the catalogue, and an amount that was typed. Pure. */
import type { Schemas } from '../lib/api/client.ts';

export type Item = Schemas['ItemView'];
export type Line = Required<Schemas['LineItem']>;

/** The most of one thing, and the most lines, that the API takes. */
export const MOST = 10_000;
export const MOST_LINES = 100;

/** One more of it; a line of the same name and price counts up. */
export function added(lines: readonly Line[], name: string, unit: number): Line[] {
  const at = lines.findIndex((line) => line.name === name && line.unit_amount === unit);
  if (at === -1)
    return lines.length >= MOST_LINES
      ? [...lines]
      : [...lines, { name, quantity: 1, unit_amount: unit }];
  return counted(lines, at, (lines[at]?.quantity ?? 0) + 1);
}

/** So many of a line; none takes it away. */
export function counted(lines: readonly Line[], at: number, quantity: number): Line[] {
  if (quantity <= 0) return lines.filter((_, n) => n !== at);
  return lines.map((line, n) =>
    n === at ? { ...line, quantity: Math.min(quantity, MOST) } : line,
  );
}

export function total(lines: readonly Line[]): number {
  return lines.reduce((sum, line) => sum + line.quantity * line.unit_amount, 0);
}

/** A part of an amount, in hundredths, rounded half up to minor units: whole numbers alone. */
export function percent(amount: number, hundredths: number): number {
  return Math.floor((amount * hundredths + 50) / 100);
}

/** As keys stand on the till: by place, then by name; those of one currency. */
export function ordered(items: readonly Item[], currency: string, language: string): Item[] {
  const names = new Intl.Collator(language, { numeric: true });
  return items
    .filter((item) => item.currency === currency)
    .sort((a, b) => a.position - b.position || names.compare(a.name, b.name));
}

export function categories(items: readonly Item[]): string[] {
  return [...new Set(items.map((item) => item.category).filter((name) => name !== null))];
}
