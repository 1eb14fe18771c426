/** The console of a merchant's staff: its places. */
import { answered } from '../../lib/api/client.ts';
import type { Place } from '../parts.ts';
import { session } from '../session.svelte.ts';
import { merchant } from './merchant.svelte.ts';

export const places: Place[] = [
  {
    ...{ path: '/', text: 'merchant.today', icon: 'today', scope: 'payments:read', group: null },
    page: () => import('./Today.svelte'),
  },
  {
    ...{ path: '/payments', text: 'merchant.payments', icon: 'lines' },
    ...{ scope: 'payments:read', group: null },
    page: () => import('./Payments.svelte'),
  },
  {
    ...{ path: '/acceptance', text: 'merchant.acceptance', icon: 'toggle' },
    ...{ scope: 'shops:read', group: null },
    page: () => import('./Acceptance.svelte'),
  },
  {
    ...{ path: '/statements', text: 'merchant.statements', icon: 'statement' },
    ...{ scope: 'balance:read', group: 'merchant.group.money' },
    page: () => import('./Statements.svelte'),
  },
  {
    ...{ path: '/fees', text: 'merchant.fees', icon: 'percent' },
    ...{ scope: 'balance:read', group: 'merchant.group.money' },
    page: () => import('./Fees.svelte'),
  },
  {
    ...{ path: '/shops', text: 'merchant.shops', icon: 'shop' },
    ...{ scope: 'shops:read', group: 'merchant.group.house' },
    page: () => import('./Shops.svelte'),
  },
  {
    ...{ path: '/staff', text: 'merchant.staff', icon: 'people' },
    ...{ scope: 'staff:read', group: 'merchant.group.house' },
    page: () => import('./Staff.svelte'),
  },
  {
    ...{ path: '/audit', text: 'merchant.audit', icon: 'record' },
    ...{ scope: 'audit:read', group: 'merchant.group.house' },
    page: () => import('./Audit.svelte'),
  },
  {
    ...{ path: '/keys', text: 'merchant.keys', icon: 'key' },
    ...{ scope: 'keys:write', group: 'merchant.group.programs' },
    page: () => import('./Keys.svelte'),
  },
  {
    ...{ path: '/webhooks', text: 'merchant.webhooks', icon: 'hook' },
    ...{ scope: 'webhooks:read', group: 'merchant.group.programs' },
    page: () => import('./Webhooks.svelte'),
  },
];

/** What stands at the top: the merchant's name. */
export async function nameOf(): Promise<string> {
  merchant.value = null; // it may have been another's, whose staff has signed out
  void merchant.load();
  return (await answered(session.api.GET('/v1/merchants/me'))).name;
}
