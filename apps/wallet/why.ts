import type { Key } from '../lib/i18n/index.ts';
import type { Payment } from './wallet.svelte.ts';

/** Why a payment was declined, as its payer is told. */
export function whyOf(reason: NonNullable<Payment['decline_reason']>): Key {
  return reason === 'declined_by_person' ? 'payment.saidno' : `status.${reason}`;
}
