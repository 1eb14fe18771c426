import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { grouped, importSeed, nextMark, payCode, stepOf } from './paycode.ts';

// The vectors stand in docs/codes.md, where the server's tests read them too.
const page = readFileSync(new URL('../../../docs/codes.md', import.meta.url), 'utf8');
const vectors = [
  ...page.matchAll(/^\| `([0-9a-f]{64})` \| `(\d{8})` \| `([^`]+)` \| (\d) \| `(\d{18})` \|$/gm),
];

const bytes = (hex: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array((hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16)));

describe('pay codes', () => {
  test('there are vectors', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(5);
  });

  test.each(vectors.map((row) => row.slice(1)))(
    'seed %s, index %s, at %s, counter %s: %s',
    async (seed = '', index = '', at = '', counter, code) => {
      const mark = { step: stepOf(Date.parse(at) / 1000), counter: Number(counter) };
      expect(await payCode(await importSeed(bytes(seed)), index, mark)).toBe(code);
    },
  );

  test('the seed cannot be read back', async () => {
    const key = await importSeed(new Uint8Array(32));
    await expect(crypto.subtle.exportKey('raw', key)).rejects.toThrow();
  });

  test('what is no seed or index is a fault', async () => {
    await expect(importSeed(new Uint8Array(31))).rejects.toThrow(RangeError);
    const key = await importSeed(new Uint8Array(32));
    await expect(payCode(key, '1', { step: 1, counter: 0 })).rejects.toThrow(RangeError);
    await expect(payCode(key, '12345678', { step: 1, counter: 4 })).rejects.toThrow(RangeError);
  });
});

describe('marks only grow', () => {
  test.each([
    ['the first', null, 150, { step: 10, counter: 0 }],
    ['a later step', { step: 9, counter: 3 }, 150, { step: 10, counter: 0 }],
    ['the same step', { step: 10, counter: 0 }, 164.9, { step: 10, counter: 1 }],
    ['the last of a step', { step: 10, counter: 3 }, 150, null],
    ['a clock a little back', { step: 10, counter: 0 }, 149, { step: 10, counter: 1 }],
    ['a clock set right', { step: 1000, counter: 2 }, 150, { step: 10, counter: 0 }],
  ])('%s', (_, last, now, next) => {
    expect(nextMark(last, now)).toEqual(next);
  });
});

test('digits are read in groups', () => {
  expect(grouped('283456789065134296')).toBe('2834 5678 9065 1342 96');
});
