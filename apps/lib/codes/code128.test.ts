import { expect, test } from 'vitest';
import { code128 } from './code128.ts';

const text = (digits: string): string =>
  code128(digits)
    .map((dark) => (dark ? '1' : '0'))
    .join('');

test('start, digits, check character and stop', () => {
  // Set C of "00": start C is 105, 00 is 0, and the check is 105 mod 103 = 2.
  expect(text('00')).toBe('11010011100' + '11011001100' + '11001100110' + '1100011101011');
});

test('eighteen digits take twelve characters of eleven modules, and a stop of thirteen', () => {
  expect(code128('283456789065134296')).toHaveLength(11 * 11 + 13);
});

test.each(['', '1', '123', '12a4'])('%s is none', (digits) => {
  expect(() => code128(digits)).toThrow(RangeError);
});
