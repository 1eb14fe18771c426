import { expect, test } from 'vitest';
import { givenBy, wrongWith } from './device.ts';

const KEY = 'tk_dev_0123456789abcdef';
const SEED = btoa('\x00\xff'.repeat(16));
const URL_SEED = SEED.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

test('a key, an index and a seed, in either alphabet of base64', () => {
  expect(wrongWith(KEY, '12345678', SEED)).toBeNull();
  expect(wrongWith(KEY, '12345678', URL_SEED)).toBeNull();
});

test.each([
  ['tk_mer_0123456789abcdef', '12345678', SEED, 'key'],
  [KEY, '1234567', SEED, 'index'],
  [KEY, '12345678', 'AAAA', 'seed'],
  [KEY, '12345678', '!', 'seed'],
])('%s %s %s: the %4$s is wrong', (key, index, seed, wrong) => {
  expect(wrongWith(key, index, seed)).toBe(wrong);
});

test('a link brings all three or nothing', () => {
  expect(givenBy(`#${KEY}.12345678.${URL_SEED}`)).toEqual({
    key: KEY,
    index: '12345678',
    seed: URL_SEED,
  });
  for (const hash of ['', '#', `#${KEY}`, `#${KEY}.12345678`, '#a.b.c'])
    expect(givenBy(hash)).toBeNull();
});
