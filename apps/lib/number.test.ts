import { expect, test } from 'vitest';
import { numberOf } from './number.ts';

test('a number is the last six of an id', () => {
  expect(numberOf('pay_0199f0a4c0de7000800000000000c02a')).toBe('00C02A');
});
