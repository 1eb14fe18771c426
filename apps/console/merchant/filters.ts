/** The filters of payments: from the address to what the API is asked, and what is wrong in it. */
import type { Schemas } from '../../lib/api/client.ts';
import type { paths } from '../../lib/api/schema.ts';
import { minorOf } from '../../lib/money.ts';
import { dayStart } from '../days.ts';

type PaymentQuery = NonNullable<paths['/v1/payments']['get']['parameters']['query']>;

/** What is not right about a filter. */
type Wrong = 'day' | 'amount' | 'order';

export interface Asked {
  query: PaymentQuery;
  wrong: Record<string, Wrong>;
}

/** What the API is asked; a filter that means nothing is left out, and named in `wrong`. */
export function askedOf(address: URLSearchParams, currencies: readonly string[]): Asked {
  const query: Record<string, string | number | boolean> = {};
  const wrong: Record<string, Wrong> = {};
  const said = (name: string): string => address.get(name) ?? '';

  for (const [name, field] of [
    ['status', 'status'],
    ['way', 'way'],
    ['shop', 'shop_id'],
    ['till', 'till_id'],
    ['reference', 'order_reference'],
    ['text', 'text'],
  ] as const)
    if (said(name) !== '') query[field] = said(name);
  if (said('paid') === 'yes') query['paid'] = true;

  for (const [name, field, after] of [
    ['from', 'since', 0],
    ['to', 'until', 1],
  ] as const) {
    if (said(name) === '') continue;
    const moment = dayStart(said(name), after);
    if (moment === null) wrong[name] = 'day';
    else query[field] = moment.toISOString();
  }
  const { since, until } = query as { since?: string; until?: string };
  if (since !== undefined && until !== undefined && since >= until) wrong['to'] = 'order';

  const currency = said('currency') || currencies[0];
  for (const name of ['least', 'most']) {
    if (said(name) === '' || currency === undefined) continue;
    const minor = minorOf(said(name), currency);
    if (minor === null) wrong[name] = 'amount';
    else Object.assign(query, { [name]: minor, currency });
  }
  if (said('currency') !== '') query['currency'] = said('currency');
  return { query: query as PaymentQuery, wrong };
}

/** Where a number of a day leads: to its payments of that currency, of the day that was answered. */
export function ofDay(
  day: Pick<Schemas['DayView'], 'currency' | 'day'>,
  more: Record<string, string>,
): string {
  const { currency, day: date } = day;
  return `/payments?${new URLSearchParams({ from: date, to: date, currency, ...more }).toString()}`;
}
