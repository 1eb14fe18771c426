/** The console of a merchant's staff: its places. */
import { answered } from '../../lib/api/client.ts';
import type { Place } from '../parts.ts';
import { session } from '../session.svelte.ts';

export const places: Place[] = [
  {
    path: '/payments',
    text: 'merchant.payments',
    icon: 'lines',
    scope: 'payments:read',
    group: null,
    page: () => import('./Payments.svelte'),
  },
];

/** What stands at the top: the merchant's name. */
export async function nameOf(): Promise<string> {
  return (await answered(session.api.GET('/v1/merchants/me'))).name;
}
