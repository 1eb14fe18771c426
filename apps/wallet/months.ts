/** Months as the phone's calendar has them. */
import { tag } from '../lib/i18n/index.ts';

export interface Month {
  /** `2026-11` */
  value: string;
  text: string;
}

const SHOWN = 36;

/** The last months, the present one first. */
export function lastMonths(now: number): Month[] {
  const format = new Intl.DateTimeFormat(tag(), { year: 'numeric', month: 'long' });
  const today = new Date(now);
  return Array.from({ length: SHOWN }, (_, back) => {
    const first = new Date(today.getFullYear(), today.getMonth() - back, 1);
    const month = String(first.getMonth() + 1).padStart(2, '0');
    return { value: `${first.getFullYear()}-${month}`, text: format.format(first) };
  });
}

/** Where a month begins and ends, by the phone's own midnight; null if it is none. */
export function bounds(month: string): { since: string; until: string } | null {
  const match = /^(20[0-9]{2})-(0[1-9]|1[0-2])$/.exec(month);
  if (match === null) return null;
  const [year, at] = [Number(match[1]), Number(match[2])];
  return {
    since: new Date(year, at - 1, 1).toISOString(),
    until: new Date(year, at, 1).toISOString(),
  };
}
