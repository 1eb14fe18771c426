import { tag } from '../lib/i18n/index.ts';

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

/** How long that is, in the largest unit of which there are two, as people say it: `5 hours`. */
export function span(ms: number): string {
  const [unit, size] = UNITS.find(([, one]) => Math.abs(ms) >= 2 * one) ?? UNITS[2];
  return new Intl.NumberFormat(tag(), { style: 'unit', unit, unitDisplay: 'long' }).format(
    Math.round(Math.abs(ms) / size),
  );
}
