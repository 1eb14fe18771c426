/** The same few payments in whatever shows a list of them. */
import { t, type Key } from '../lib/i18n/index.ts';
import type { Column } from '../lib/design/table.ts';
import { ARABIC, LONG } from './names.ts';

export interface Shown {
  id: string;
  who: string;
  status: Key;
  amount: number;
}

export const PAYMENTS: Shown[] = [
  { id: 'pay_01', who: 'Lin Wei', status: 'status.captured', amount: 3800 },
  { id: 'pay_02', who: LONG, status: 'status.waiting', amount: 123_456 },
  { id: 'pay_03', who: ARABIC, status: 'status.refunded', amount: 5 },
];

/** The heads of their table, in the language of today. */
export const columns = (): Column[] => [
  { name: t('payment.number'), wide: true },
  { name: t('payment.title'), place: 'main' },
  { name: t('payment.state') },
  { name: t('till.amount'), end: true },
];
