import { expect, test } from 'vitest';
import { dayStart, dayText } from './days.ts';

test.each(['2026-02-30', '2026-13-01', '2026-5-4', '', 'today', '2026-05-04T00:00'])(
  '%j is no day',
  (text) => {
    expect(dayStart(text)).toBeNull();
  },
);

test('a day begins at its midnight, and ends where the next begins', () => {
  expect(dayStart('2026-05-04')).toEqual(new Date(2026, 4, 4));
  expect(dayStart('2026-05-31', 1)).toEqual(new Date(2026, 5, 1));
});

test.each(['2026-01-01', '2024-02-29', '2026-12-31'])('%s is read and written', (text) => {
  expect(dayText(dayStart(text) ?? new Date(0))).toBe(text);
});
