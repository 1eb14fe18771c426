import { expect, test } from 'vitest';
import { addTexts } from '../../lib/i18n/index.ts';
import { texts } from '../texts/index.ts';
import { short } from '../short.ts';
import { placeOf, sentenceOf } from './acts.ts';

addTexts(texts);
const said = (...asked: Parameters<typeof sentenceOf>): string =>
  sentenceOf(...asked)
    .map((part) => (part.name === null ? part.text : `[${part.text}]`))
    .join('');

test('an action is a sentence', () => {
  expect(said('create_refund', 'Mei', 'pay_1', true)).toBe(
    '[Mei] refunded money of payment [pay_1]',
  );
  expect(said('create_refund', 'Mei', 'pay_1', false)).toBe(
    '[Mei] wanted to refund money of payment [pay_1]',
  );
  expect(said('sign_out', 'Mei', null, true)).toBe('[Mei] signed out');
  expect(said('list_payments.export', 'Mei', null, true)).toBe('[Mei] exported a list');
});

test('a name is only a name', () => {
  expect(said('create_refund', '{what}', 'pay_1', true)).toBe(
    '[{what}] refunded money of payment [pay_1]',
  );
});

test('what has no sentence is said by its code', () => {
  expect(said('new_thing', 'Mei', 'pay_1', true)).toBe('[Mei] new_thing [pay_1]');
  expect(said('create_refund', 'Mei', null, true)).toBe('[Mei] create_refund ');
});

test('what it was done to is found by its id', () => {
  expect(placeOf('pay_1')).toBe('/payments/pay_1');
  expect(placeOf('key_1')).toBe('/keys');
  expect(placeOf('shf_1')).toBeNull();
  expect(placeOf('')).toBeNull();
  expect(short('pay_0199f0a4c0de7000800000000000002a')).toBe('pay_…00002a');
});
