/** The roles of a merchant's staff, and what each may do. */
import { t } from '../../lib/i18n/index.ts';

export const ROLES = ['cashier', 'manager', 'owner'] as const;

const DETAILS = {
  cashier: 'staff.cashier',
  manager: 'staff.manager',
  owner: 'staff.owner',
} as const;

export function roleDetail(role: string): string {
  return t(DETAILS[role as keyof typeof DETAILS]);
}
