import { expect, test, vi } from 'vitest';
import { count } from './ways.ts';

test('a number below zero has the sign that amounts have', () => {
  vi.stubGlobal('navigator', { languages: ['en-GB'] });
  expect(count(-1)).toBe('−1');
  expect(count(1234)).toBe('1,234');
});
