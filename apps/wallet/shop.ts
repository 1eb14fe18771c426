/** The shop's checkout page from which somebody came to pay: afterwards they go back to it. */
import { read, write } from '../lib/store.ts';

const PLACE = 'wallet.checkout';
const TOKEN = /^[A-Za-z0-9_-]{20}$/;

/** The checkout page that led here, by its token; null if none did, or it cannot be one. */
export function cameFrom(search: string): string | null {
  const token = new URLSearchParams(search).get('checkout');
  return token !== null && TOKEN.test(token) ? token : null;
}

/** Note that a payment is that of a checkout page. */
export async function remember(payment: string, token: string): Promise<void> {
  await write(PLACE, { payment, token });
}

/** Where to go back to after a payment: a page of ours, whatever was noted. */
export async function wayBack(payment: string): Promise<string | null> {
  const kept = await read<{ payment: string; token: string }>(PLACE);
  return kept?.payment === payment && TOKEN.test(kept.token) ? `/checkout/s/${kept.token}` : null;
}
