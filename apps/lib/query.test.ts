import { expect, test } from 'vitest';
import { changed, queryOf } from './query.ts';

test.each([
  ['', { status: 'captured' }, 'status=captured'],
  ['?status=captured', { status: '' }, ''],
  ['?way=tap&status=captured', { from: '2026-01-01' }, 'from=2026-01-01&status=captured&way=tap'],
  ['?a=1&a=2', { a: '3' }, 'a=3'],
  ['', { text: 'a&b=c d' }, 'text=a%26b%3Dc+d'],
])('%j with %j is %j', (search, changes, wanted) => {
  expect(changed(queryOf(search), changes as Record<string, string>)).toBe(wanted);
});

test('the query that is changed stays as it was', () => {
  const query = queryOf('?a=1');
  changed(query, { a: '' });
  expect(query.toString()).toBe('a=1');
});
