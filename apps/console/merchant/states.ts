/** The states of a payment: their words, and how they are shown. */
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

export type Tone = 'good' | 'wait' | 'bad' | 'plain';

const TONES: Record<string, Tone> = {
  ...{ created: 'wait', waiting: 'wait', authorised: 'wait' },
  ...{ captured: 'good', partially_refunded: 'good', declined: 'bad' },
};

export function toneOf(status: string): Tone {
  return TONES[status] ?? 'plain';
}

/** The word for a state, or for a reason. */
export function statusText(status: string): string {
  const key = `status.${status}`;
  return isKey(key) ? t(key) : status;
}
