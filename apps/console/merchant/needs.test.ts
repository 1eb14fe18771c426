import { expect, test, vi } from 'vitest';
import type { Schemas } from '../../lib/api/client.ts';
import { isDeclinedMore, needsOf } from './needs.ts';

test.each([
  [0, 0, 0, 0, false],
  [2, 2, 0, 100, false], // too few to say anything
  [3, 10, 0, 0, true],
  [3, 12, 0, 0, false],
  [5, 50, 4, 100, true], // a tenth, where it is one of 25
  [5, 50, 5, 100, false], // exactly twice as often
  [5, 50, 40, 100, false],
])('%i of %i, usually %i of %i', (declined, asked, usual_declined, usual_asked, more) => {
  expect(isDeclinedMore({ declined, asked, usual_declined, usual_asked })).toBe(more);
});

test('what needs somebody leads to the currency and the day that it was counted of', async () => {
  vi.stubGlobal('navigator', { languages: ['en-GB'] });
  const day = {
    ...{ currency: 'JPY', day: '2026-05-04', until: '2026-05-04T09:00:00Z' },
    ...{ reserved: 300, declined: 3, asked: 4, usual_declined: 0, usual_asked: 0 },
  } as Schemas['DayView'];
  expect((await needsOf(day)).map((need) => need.path)).toEqual([
    '/payments?status=authorised&currency=JPY',
    '/payments?from=2026-05-04&to=2026-05-04&currency=JPY&status=declined',
  ]);
});
