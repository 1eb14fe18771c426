import { expect, test } from 'vitest';
import { lineTotal, NO_LINE, readLine, typedLine, type Line } from './links.ts';

const tea: Line = { name: 'Tea', unit_amount: 1250, quantity: 3, tax: 75 };

test('a line is typed and read', () => {
  expect(readLine({ name: ' Tea ', quantity: '3', unit: '12.5', tax: '0.75' }, 'CNY')).toEqual(tea);
  expect(readLine(typedLine(tea, 'CNY'), 'CNY')).toEqual(tea);
  expect(lineTotal(tea)).toBe(3825);
});

test('a discount has a minus', () => {
  const less: Line = { name: 'Less', unit_amount: -500, quantity: 1, tax: 0 };
  expect(readLine({ ...NO_LINE, name: 'Less', unit: '-5' }, 'CNY')).toEqual(less);
  expect(readLine({ ...NO_LINE, name: 'Less', unit: '\u22125.00' }, 'CNY')).toEqual(less);
  expect(readLine(typedLine(less, 'CNY'), 'CNY')).toEqual(less);
});

test.each([
  { name: '' },
  { unit: '' },
  { unit: '1.234' },
  { unit: '--1' },
  { quantity: '0' },
  { quantity: '1.5' },
  { quantity: '1000000' },
  { tax: '-1' },
  { tax: 'x' },
])('%j is no line', (wrong) => {
  expect(readLine({ name: 'Tea', quantity: '1', unit: '1', tax: '', ...wrong }, 'CNY')).toBeNull();
});
