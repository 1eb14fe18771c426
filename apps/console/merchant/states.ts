/** The states and ways of a payment: their words, and how they are shown. */
import { isKey, t } from '../../lib/i18n/index.ts';

export const STATUSES = [
  'created',
  'waiting',
  'authorised',
  'captured',
  'partially_refunded',
  'refunded',
  'cancelled',
  'declined',
  'expired',
] as const;
export const WAYS = ['tap', 'scan', 'click'] as const;

export type Tone = 'good' | 'wait' | 'bad' | 'plain';

const TONES: Record<string, Tone> = {
  ...{ created: 'wait', waiting: 'wait', authorised: 'wait' },
  ...{ captured: 'good', partially_refunded: 'good', declined: 'bad' },
};
const WAY_TEXTS = { tap: 'way.tap', scan: 'way.scan', click: 'way.click' } as const;

export function toneOf(status: string): Tone {
  return TONES[status] ?? 'plain';
}

/** The word for a state, or for a reason. */
export function statusText(status: string): string {
  const key = `status.${status}`;
  return isKey(key) ? t(key) : status;
}

/** The word for a way to pay. */
export function wayText(way: string): string {
  const key = WAY_TEXTS[way as keyof typeof WAY_TEXTS] as
    (typeof WAY_TEXTS)[keyof typeof WAY_TEXTS] | undefined;
  return key === undefined ? way : t(key);
}

/** The word for a line of the balance: a payment, its fee, a refund. */
export function lineText(type: string): string {
  const key = `line.merchant.${type}`;
  return isKey(key) ? t(key) : type;
}
