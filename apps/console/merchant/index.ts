/** The console of a merchant's staff: its places, in their order. */
import { answered } from '../../lib/api/client.ts';
import type { IconName } from '../../lib/design/icons.ts';
import type { Key } from '../../lib/i18n/index.ts';
import type { Place } from '../parts.ts';
import { session } from '../session.svelte.ts';
import { merchant } from './merchant.svelte.ts';

type Row = [path: string, text: Key, icon: IconName, scope: string, page: Place['page']];

/** Rows of the sidebar under one heading. */
const under = (group: Key | null, ...rows: Row[]): Place[] =>
  rows.map(([path, text, icon, scope, page]) => ({ path, text, icon, scope, group, page }));

export const places: Place[] = [
  ...under(
    null,
    ['/', 'merchant.today', 'today', 'payments:read', () => import('./Today.svelte')],
    ['/payments', 'merchant.payments', 'lines', 'payments:read', () => import('./Payments.svelte')],
    [
      '/acceptance',
      'merchant.acceptance',
      'toggle',
      'shops:read',
      () => import('./Acceptance.svelte'),
    ],
  ),
  ...under(
    'merchant.group.money',
    ['/links', 'merchant.links', 'link', 'checkout:read', () => import('./Links.svelte')],
    [
      '/invoices',
      'merchant.invoices',
      'receipt',
      'checkout:read',
      () => import('./Invoices.svelte'),
    ],
    [
      '/statements',
      'merchant.statements',
      'statement',
      'balance:read',
      () => import('./Statements.svelte'),
    ],
    ['/fees', 'merchant.fees', 'percent', 'balance:read', () => import('./Fees.svelte')],
  ),
  ...under(
    'merchant.group.house',
    ['/shops', 'merchant.shops', 'shop', 'shops:read', () => import('./ShopsPlace.svelte')],
    ['/staff', 'merchant.staff', 'people', 'staff:read', () => import('./Staff.svelte')],
    ['/audit', 'merchant.audit', 'record', 'audit:read', () => import('./Audit.svelte')],
  ),
  ...under(
    'merchant.group.programs',
    ['/keys', 'merchant.keys', 'key', 'keys:write', () => import('./Keys.svelte')],
    ['/webhooks', 'merchant.webhooks', 'hook', 'webhooks:read', () => import('./Webhooks.svelte')],
  ),
];

/** What stands at the top: the merchant's name. */
export async function nameOf(): Promise<string> {
  merchant.value = null; // it may have been another's, whose staff has signed out
  void merchant.load();
  return (await answered(session.api.GET('/v1/merchants/me'))).name;
}
