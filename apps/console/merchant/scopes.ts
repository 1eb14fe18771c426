/** What a key may do, in words. */
import type { Schemas } from '../../lib/api/client.ts';
import { t } from '../../lib/i18n/index.ts';

export const SCOPES = [
  'payments:write',
  'payments:read',
  'refunds:write',
  'checkout:write',
  'checkout:read',
  'checkout:settings',
  'taps:write',
  'shops:write',
  'shops:read',
  'keys:write',
  'webhooks:write',
  'webhooks:read',
  'events:read',
  'payouts:read',
  'balance:read',
  'staff:write',
  'staff:manage',
  'staff:read',
  'audit:read',
] as const satisfies ScopeName[];

type ScopeName = Schemas['CreateKey']['scopes'][number];

export const SCOPE_TEXTS = {
  'payments:write': 'scope.payments.write',
  'payments:read': 'scope.payments.read',
  'refunds:write': 'scope.refunds.write',
  'checkout:write': 'scope.checkout.write',
  'checkout:read': 'scope.checkout.read',
  'checkout:settings': 'scope.checkout.settings',
  'taps:write': 'scope.taps.write',
  'shops:write': 'scope.shops.write',
  'shops:read': 'scope.shops.read',
  'keys:write': 'scope.keys.write',
  'webhooks:write': 'scope.webhooks.write',
  'webhooks:read': 'scope.webhooks.read',
  'events:read': 'scope.events.read',
  'payouts:read': 'scope.payouts.read',
  'balance:read': 'scope.balance.read',
  'staff:write': 'scope.staff.write',
  'staff:manage': 'scope.staff.manage',
  'staff:read': 'scope.staff.read',
  'audit:read': 'scope.audit.read',
} as const satisfies Record<ScopeName, string>;

/** What a scope permits; one that is new to the API by its own name. */
export function scopeText(scope: string): string {
  return scope in SCOPE_TEXTS ? t(SCOPE_TEXTS[scope as ScopeName]) : scope;
}
