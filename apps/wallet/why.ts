import type { Key } from '../lib/i18n/index.ts';
import type { Payment } from './wallet.svelte.ts';

type Reason = NonNullable<Payment['decline_reason']>;

/** Why a payment was declined, as its payer is told. A reason that is new to the API is asked for. */
const WHY: Record<Reason, Key> = {
  declined_by_person: 'payment.saidno',
  insufficient_funds: 'status.insufficient_funds',
  limit_per_payment: 'status.limit_per_payment',
  limit_per_day: 'status.limit_per_day',
  payer_not_active: 'status.payer_not_active',
  card_not_active: 'status.card_off',
  card_suspended: 'status.card_off',
  card_blocked: 'status.card_off',
  card_lost: 'status.card_lost',
  device_out_of_use: 'status.card_lost',
  card_expired: 'status.card_expired',
  issuer_card_expired: 'status.card_expired',
  cryptogram_wrong: 'status.card_unchecked',
  cryptogram_replayed: 'status.card_unchecked',
  counter_ahead: 'status.card_ahead',
  cryptogram_kind: 'status.card_unchecked',
  declined_by_card: 'status.card_unchecked',
  amount_differs: 'status.card_differs',
  currency_differs: 'status.card_differs',
  type_differs: 'status.card_differs',
  date_differs: 'status.card_differs',
  not_a_gate: 'status.card_locked',
  not_verified: 'status.card_locked',
  currency_not_funded: 'status.card_currency',
  issuer_away: 'status.issuer_away',
  issuer_silent: 'status.issuer_away',
  issuer_declined: 'status.issuer_declined',
  issuer_funds: 'status.issuer_funds',
  issuer_limit: 'status.issuer_limit',
  reversed: 'status.reversed',
};

export function whyOf(reason: Reason): Key {
  // An older page than its server may meet a reason that it does not know.
  return (WHY as Partial<Record<string, Key>>)[reason] ?? 'status.declined';
}
