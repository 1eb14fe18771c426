import { expect, test } from 'vitest';
import { everyNth, fitted, scaleTop } from './chart.ts';

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

test.each([
  ['12:00', 52, '12:00'],
  ['14 Mar', 52, '14 Mar'],
  ['3月14日', 52, '3月14日'],
  ['Flat white with oats', 70, 'Flat whit…'],
  ['Flat white with oats', 78, 'Flat white…'],
  ['热拿铁咖啡', 52, '热拿铁…'],
  ['Flat', 0, 'F…'],
])('%s on %i pixels is %s', (name, width, shown) => {
  expect(fitted(name, width)).toBe(shown);
});
