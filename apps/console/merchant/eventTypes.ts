/** The types of events that an endpoint can ask for, in words. */
import type { Schemas } from '../../lib/api/client.ts';
import { t } from '../../lib/i18n/index.ts';

export type EventType = NonNullable<Schemas['CreateEndpoint']['types']>[number];

/** A test goes wherever it is sent; nobody asks for it beforehand. */
const TEST = 'webhook.test';

const TEXTS = {
  'payment.created': 'event.payment.created',
  'payment.waiting': 'event.payment.waiting',
  'payment.reopened': 'event.payment.reopened',
  'payment.authorised': 'event.payment.authorised',
  'payment.captured': 'event.payment.captured',
  'payment.refunded': 'event.payment.refunded',
  'payment.reduced': 'event.payment.reduced',
  'payment.refund_reversed': 'event.payment.refund.reversed',
  'payment.cancelled': 'event.payment.cancelled',
  'payment.declined': 'event.payment.declined',
  'payment.expired': 'event.payment.expired',
  'payment.released': 'event.payment.released',
  'invoice.opened': 'event.invoice.opened',
  'invoice.paid': 'event.invoice.paid',
  'invoice.overdue': 'event.invoice.overdue',
  'invoice.voided': 'event.invoice.voided',
  'payout.made': 'event.payout.made',
  'payout.corrected': 'event.payout.corrected',
  'tag.blocked': 'event.tag.blocked',
  [TEST]: 'event.webhook.test',
} as const satisfies Record<EventType, string>;

/** Those that one chooses from, in the order of the reference. */
export const EVENT_TYPES = (Object.keys(TEXTS) as EventType[]).filter((type) => type !== TEST);

/** The words for a type; the code of one that is newer than this page. */
export function eventText(type: string): string {
  const key = TEXTS[type as EventType] as (typeof TEXTS)[EventType] | undefined;
  return key === undefined ? type : t(key);
}
