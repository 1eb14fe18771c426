import { expect, test } from 'vitest';
import { isDeclinedMore } from './needs.ts';

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
