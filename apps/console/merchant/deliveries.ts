/** The states of a delivery: their words, and how they are shown. */
import { t } from '../../lib/i18n/index.ts';
import type { Tone } from './states.ts';

const TONES: Record<string, Tone> = { delivered: 'good', pending: 'wait', failed: 'bad' };
const STATES = {
  delivered: 'delivery.delivered',
  pending: 'delivery.pending',
  failed: 'delivery.failed',
} as const;

export function deliveryTone(status: string): Tone {
  return TONES[status] ?? 'plain';
}

export function deliveryText(status: string): string {
  const key = STATES[status as keyof typeof STATES] as
    (typeof STATES)[keyof typeof STATES] | undefined;
  return key === undefined ? status : t(key);
}
