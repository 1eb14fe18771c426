import { expect, test } from 'vitest';
import { routeOf, type Place } from './parts.ts';

const place = (path: string): Place => ({
  path,
  text: 'app.name',
  icon: 'home',
  scope: null,
  group: null,
  page: () => Promise.reject(new Error('not opened here')),
});
const places = [place('/'), place('/payments'), place('/pay')];

test.each([
  ['/', '/', []],
  ['/payments', '/payments', []],
  ['/payments/', '/payments', []],
  ['/payments/pay_1/refund', '/payments', ['pay_1', 'refund']],
  ['/pay', '/pay', []],
])('%s is at %s', (path, at, rest) => {
  expect(routeOf(places, path)).toEqual({
    place: places.find((one) => one.path === at),
    rest,
  });
});

test('where nothing is, nothing is found', () => {
  expect(routeOf(places, '/payment')).toBeNull();
});
