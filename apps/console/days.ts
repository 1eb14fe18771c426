/** Days as the address has them, `2026-05-04`, in the time zone of whoever looks. */
import { tag } from '../lib/i18n/index.ts';

const DAY = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/;

/** When a day begins, or, with `after`, when the day after so many begins; null if it is none. */
export function dayStart(text: string, after = 0): Date | null {
  const [, year, month, day] = DAY.exec(text) ?? [];
  if (year === undefined || month === undefined || day === undefined) return null;
  const date = new Date(Number(year), Number(month) - 1, Number(day));
  const isReal = date.getMonth() === Number(month) - 1 && date.getDate() === Number(day);
  if (!isReal) return null;
  return new Date(Number(year), Number(month) - 1, Number(day) + after);
}

/** A day as the address has it. */
export function dayText(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${String(date.getFullYear())}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The time zone of whoever looks, by its IANA name. */
export function zone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** A day, `2026-05-04`, as people read it. */
export function dayName(text: string): string {
  const day = dayStart(text);
  return day === null ? text : new Intl.DateTimeFormat(tag(), { dateStyle: 'medium' }).format(day);
}
