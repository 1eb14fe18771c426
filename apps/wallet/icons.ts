import type { IconName } from '../lib/design/icons.ts';

const ICON: Partial<Record<string, IconName>> = {
  ...{ payment: 'shop', refund: 'refund', top_up: 'bank', withdrawal: 'bank' },
  ...{ correction: 'refund', reserved: 'lock', released: 'lock' },
  ...{ packet: 'packet', packet_share: 'packet', packet_return: 'packet' },
};

/** What stands for a movement of this type; none for what passes between people: they have names. */
export function iconOf(type: string): IconName | undefined {
  return ICON[type];
}
