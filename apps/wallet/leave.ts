/** Leaving this phone, as far as others know of it: its session, and its key. */
import { answered } from '../lib/api/client.ts';
import { session } from './signIn.ts';
import { wallet } from './wallet.svelte.ts';

/**
 * Sign out, and take this phone out of use if its person can come back without it: who has a passkey
 * gets a new device, so this one's key and pay codes need work for nobody.
 */
export async function leavePhone(): Promise<void> {
  const id = wallet.device?.id;
  await session.start();
  if (session.state === 'in') await session.signOut();
  const query = { limit: 1 };
  const { data } = await answered(wallet.api.GET('/v1/passkeys', { params: { query } }));
  if (id === undefined || data.every((one) => one.suspect)) return;
  const path = { device_id: id };
  await answered(wallet.api.DELETE('/v1/people/me/devices/{device_id}', { params: { path } }));
}
