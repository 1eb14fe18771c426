import { expect, test } from 'vitest';
import { answeredOf, keyFor } from './refundKeys.ts';

test('the same refund has the same key until it is answered', () => {
  const first = keyFor('pay_1', '{"amount":5}');
  expect(keyFor('pay_1', '{"amount":5}')).toBe(first);
  expect(keyFor('pay_2', '{"amount":5}')).not.toBe(first);
  answeredOf('pay_1');
  expect(keyFor('pay_1', '{"amount":5}')).not.toBe(first);
});

test('another amount is another refund', () => {
  const first = keyFor('pay_3', '{"amount":5}');
  expect(keyFor('pay_3', '{"amount":6}')).not.toBe(first);
});
