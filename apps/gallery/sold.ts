/** Where and when all is sold that the till's components show. */
import type { Place } from '../till/till.svelte.ts';
import { ARABIC, LONG } from './names.ts';

export const MOMENT = '2026-03-14T09:30:00Z';
export const PLACE: Place = {
  ...{ key: null, merchantId: 'mer_1', merchant: LONG, currencies: ['CNY'] },
  shop: { id: 'shp_1', name: ARABIC },
  till: { id: 'til_1', name: 'Till 1' },
};
