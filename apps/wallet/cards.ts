/** What becomes of a card, in words. */
import type { Key } from '../lib/i18n/index.ts';
import type { Card } from './wallet.svelte.ts';

const STATES: Partial<Record<string, Key>> = {
  active: 'status.card.active',
  suspended: 'status.card.suspended',
  waiting_code: 'status.card.waiting_code',
  waiting_operator: 'status.card.waiting_operator',
  lost: 'status.card.lost',
  blocked: 'status.card.blocked',
  removed: 'status.card.removed',
  refused: 'status.card.refused',
  replaced: 'status.card.replaced',
};

/** A state by its name. One that is new to the API has the word for what is off. */
export function stateOf(status: string): Key {
  return STATES[status] ?? 'status.card.blocked';
}

const OVER = new Set(['removed', 'refused', 'replaced']);

/** Whether a card will never pay again. */
export function isOver(card: Card): boolean {
  return OVER.has(card.status);
}

const RENEW_DAYS = 90;

/** Whether a card is in its last three months, in which it can be renewed (docs/cards.md). */
export function canRenew(card: Card, now: number): boolean {
  const left = Date.parse(card.expiry) - now;
  return card.status === 'active' && left <= RENEW_DAYS * 86_400_000;
}
