/** The console of the operator's staff: its places. */
import type { Component } from 'svelte';
import type { PageComponent, Place } from '../parts.ts';
import { session } from '../session.svelte.ts';

const scope = 'operator:read';

/** A page with nothing behind its own path: it looks at no `rest`. */
function whole(load: () => Promise<{ default: Component<Record<string, never>> }>): Place['page'] {
  return async () => ({ default: (await load()).default as unknown as PageComponent });
}

export const places: Place[] = [
  {
    path: '/',
    text: 'op.overview',
    icon: 'home',
    scope,
    group: null,
    page: whole(() => import('./Overview.svelte')),
  },
  {
    path: '/people',
    text: 'op.people',
    icon: 'people',
    scope,
    group: null,
    page: () => import('./People.svelte'),
  },
  {
    path: '/payments',
    text: 'op.payments',
    icon: 'lines',
    scope,
    group: null,
    page: () => import('./Payments.svelte'),
  },
  {
    path: '/cards',
    text: 'op.cards',
    icon: 'card',
    scope,
    group: null,
    page: () => import('./Cards.svelte'),
  },
  {
    path: '/messages',
    text: 'op.messages',
    icon: 'message',
    scope,
    group: null,
    page: whole(() => import('./Messages.svelte')),
  },
  {
    path: '/merchants',
    text: 'op.merchants',
    icon: 'shop',
    scope,
    group: null,
    page: () => import('./Merchants.svelte'),
  },
  {
    path: '/ledger',
    text: 'op.ledger',
    icon: 'statement',
    scope,
    group: 'op.books',
    page: () => import('./Ledger.svelte'),
  },
  {
    path: '/verifications',
    text: 'op.verifications',
    icon: 'check',
    scope,
    group: 'op.books',
    page: () => import('./Verifications.svelte'),
  },
  {
    path: '/health',
    text: 'op.health',
    icon: 'pulse',
    scope,
    group: 'op.installation',
    page: whole(() => import('./Health.svelte')),
  },
  {
    path: '/jobs',
    text: 'op.jobs',
    icon: 'wait',
    scope,
    group: 'op.installation',
    page: whole(() => import('./Jobs.svelte')),
  },
  {
    path: '/keys',
    text: 'op.keys',
    icon: 'key',
    scope,
    group: 'op.installation',
    page: whole(() => import('./Keys.svelte')),
  },
  {
    path: '/staff',
    text: 'op.staff',
    icon: 'lock',
    scope,
    group: 'op.house',
    page: whole(() => import('./Staff.svelte')),
  },
  {
    path: '/audit',
    text: 'op.audit',
    icon: 'record',
    scope,
    group: 'op.house',
    page: whole(() => import('./Audit.svelte')),
  },
];

/** What stands at the top: the operator has no name of its own, its member has. */
export async function nameOf(): Promise<string> {
  return Promise.resolve(session.who?.name ?? '');
}
