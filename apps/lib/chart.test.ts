import { expect, test } from 'vitest';
import { everyNth, scaleTop } from './chart.ts';

test.each([
  [0, 2],
  [1, 2],
  [3, 4],
  [7, 10],
  [10, 10],
  [11, 20],
  [39, 40],
  [4100, 5000],
  [5001, 10_000],
])('the scale over %i ends at %i', (largest, top) => {
  expect(scaleTop(largest)).toBe(top);
});

test.each([
  [24, 1000, 40, 1],
  [24, 320, 40, 3],
  [3, 10, 40, 3],
  [0, 320, 40, 1],
])('of %i names on %i pixels, each %i wide, every %i-th is written', (count, width, name, nth) => {
  expect(everyNth(count, width, name)).toBe(nth);
});
