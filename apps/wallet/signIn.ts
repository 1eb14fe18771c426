/** The wallet's person as whoever signed in: for what a device's key alone must not change. */
import { isRefused } from '../lib/api/client.ts';
import { OtherKindError, Session } from '../lib/sign-in/session.svelte.ts';
import { wallet } from './wallet.svelte.ts';

export const session = new Session('person');

const OUT = ['session_over', 'unauthenticated', 'sign_in_needed'];

/**
 * Do something as this wallet's person. Whoever is not signed in signs in first; what wants the
 * passkey a moment before asks for it once more. Throws what `Session.signIn` throws.
 */
export async function asMe<T>(work: () => Promise<T>): Promise<T> {
  if (session.state === 'starting' || session.state === 'away') await session.start();
  if (session.state !== 'in' || !isMine()) await signInAsMe();
  try {
    return await session.surely(work);
  } catch (error) {
    if (!OUT.some((code) => isRefused(error, code))) throw error;
    await signInAsMe(); // the session ended in between
    return work();
  }
}

async function signInAsMe(): Promise<void> {
  await session.signIn();
  const who = session.who;
  if (who === null || isMine()) return;
  // Another wallet's passkey lies on this phone, too: nothing of theirs is touched.
  await session.signOut();
  throw new OtherKindError(who);
}

function isMine(): boolean {
  return session.who?.handle === wallet.device?.person.handle;
}
