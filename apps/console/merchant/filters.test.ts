import { expect, test } from 'vitest';
import { queryOf } from '../../lib/query.ts';
import { askedOf, ofDay } from './filters.ts';

const asked = (search: string): ReturnType<typeof askedOf> =>
  askedOf(queryOf(search), ['CNY', 'JPY']);

test('no filters ask for all', () => {
  expect(asked('')).toEqual({ query: {}, wrong: {} });
});

test('days are those of whoever looks, the last one to its end', () => {
  expect(asked('?from=2026-05-01&to=2026-05-01').query).toEqual({
    since: new Date(2026, 4, 1).toISOString(),
    until: new Date(2026, 4, 2).toISOString(),
  });
});

test.each([
  ['?least=38.5', { least: 3850, currency: 'CNY' }],
  ['?most=38&currency=JPY', { most: 38, currency: 'JPY' }],
  ['?paid=yes&way=tap&shop=shp_1', { paid: true, way: 'tap', shop_id: 'shp_1' }],
  ['?reference=a&text=b', { order_reference: 'a', text: 'b' }],
])('%s asks for %j', (search, query) => {
  expect(asked(search)).toEqual({ query, wrong: {} });
});

test.each([
  ['?from=yesterday', { from: 'day' }],
  ['?least=1.234', { least: 'amount' }],
  ['?most=-1', { most: 'amount' }],
  ['?from=2026-05-02&to=2026-05-01', { to: 'order' }],
])('%s is not right', (search, wrong) => {
  expect(asked(search).wrong).toEqual(wrong);
});

test('a number of a day leads to what it counts', () => {
  const path = ofDay({ currency: 'JPY', day: '2026-05-04' }, { paid: 'yes', way: 'tap' });
  expect(asked(path.slice(path.indexOf('?')))).toEqual({
    query: {
      ...{ paid: true, way: 'tap', currency: 'JPY' },
      since: new Date(2026, 4, 4).toISOString(),
      until: new Date(2026, 4, 5).toISOString(),
    },
    wrong: {},
  });
});
