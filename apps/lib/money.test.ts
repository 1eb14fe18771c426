import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decimalText, minorOf, money, moneyParts, typed } from './money.ts';

test.each([
  [3800, 'CNY', '38.00'],
  [-5, 'CNY', '-0.05'],
  [0, 'JPY', '0'],
  [1234, 'JPY', '1234'],
  [1, 'KWD', '0.001'],
  [1_000_000_000_000_000, 'EUR', '10000000000000.00'],
])('%d of %s is %s', (minor, currency, text) => {
  expect(decimalText(minor, currency)).toBe(text);
});

test('every digit of a large amount is shown', () => {
  expect(money(999_999_999_999_999, 'CNY', 'en')).toBe('¥9,999,999,999,999.99');
});

test('a minus is a minus sign, and a plus is shown where it is asked for', () => {
  expect(money(-3800, 'CNY', 'en')).toBe('\u2212¥38.00');
  expect(money(3800, 'CNY', 'en', 'always')).toBe('+¥38.00');
});

test('an amount has its parts', () => {
  expect(moneyParts(123_456, 'CNY', 'zh-CN')).toEqual([
    { kind: 'currency', text: '¥' },
    { kind: 'whole', text: '1,234' },
    { kind: 'decimals', text: '.56' },
  ]);
});

test.each([
  ['', '5', 'CNY', '5'],
  ['0', '5', 'CNY', '5'],
  ['', '.', 'CNY', '0.'],
  ['5', '.', 'JPY', '5'],
  ['5', '00', 'JPY', '500'],
  ['0', '00', 'JPY', '0'],
  ['5.', '.', 'CNY', '5.'],
  ['5.12', '3', 'CNY', '5.12'],
  ['5.12', 'back', 'CNY', '5.1'],
  ['', 'back', 'CNY', ''],
  ['9999999999999', '9', 'CNY', '9999999999999'],
  ['5', 'x', 'CNY', '5'],
])('%s and the key %s in %s is %s', (text, key, currency, next) => {
  expect(typed(text, key, currency)).toBe(next);
});

test.each([
  ['38.5', 'CNY', 3850],
  ['38,50', 'CNY', 3850],
  ['38.', 'CNY', 3800],
  ['007', 'JPY', 7],
  ['38.555', 'CNY', null],
  ['1.0', 'JPY', null],
  ['-1', 'CNY', null],
  ['1e3', 'CNY', null],
  ['', 'CNY', null],
  ['99999999999999', 'CNY', null],
])('%s of %s is %s', (text, currency, minor) => {
  expect(minorOf(text, currency)).toBe(minor);
});

test('the server writes currencies as Intl does', () => {
  const path = new URL('../../src/tandem/web/symbols.json', import.meta.url);
  const given = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, string>>;
  const symbol = (currency: string, language: string): string =>
    (moneyParts(100, currency, language)[0]?.text ?? '').trim();
  for (const currency of Intl.supportedValuesOf('currency')) {
    const english = given['en']?.[currency] ?? currency;
    expect(english).toBe(symbol(currency, 'en'));
    expect(given['zh']?.[currency] ?? english).toBe(symbol(currency, 'zh-CN'));
  }
});
