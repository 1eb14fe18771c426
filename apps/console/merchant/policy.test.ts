import { expect, test } from 'vitest';
import { changedWay, limitsText, namesOf } from './policy.ts';

test('one way is changed, and nothing else', () => {
  const before = {
    ways: { tap: { max_amount: { CNY: 50_000 } }, scan: { enabled: false } },
    wallets: { refused: ['other'] },
    aids: { only: ['A000000003'] },
  };
  expect(changedWay(before, 'tap', { enabled: false })).toEqual({
    ...before,
    ways: { tap: { max_amount: { CNY: 50_000 }, enabled: false }, scan: { enabled: false } },
  });
  expect(before.ways.tap).toEqual({ max_amount: { CNY: 50_000 } });
  expect(changedWay({}, 'click', { enabled: true })).toEqual({
    ways: { click: { enabled: true } },
  });
});

test('limits are told with their currencies', () => {
  expect(limitsText({}, String)).toBe('');
  expect(limitsText({ CNY: 1, JPY: 2 }, (minor, code) => `${code} ${String(minor)}`)).toBe(
    'CNY 1, JPY 2',
  );
});

test.each([
  ['', []],
  [' a , b,a ', ['a', 'b']],
  ['一、二，三', ['一', '二', '三']],
])('%j names %j', (text, names) => {
  expect(namesOf(text)).toEqual(names);
});
