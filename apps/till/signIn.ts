/** Whoever of the shop's staff stands at this till, where it goes by a person and not by a key. */
import { isRefused } from '../lib/api/client.ts';
import { Session } from '../lib/sign-in/session.svelte.ts';

export const session = new Session('merchant');

/**
 * Ask for something until somebody is signed in who may ask. What is refused because a session is
 * over was not done, so the same is asked again, under the same key, when somebody has signed in.
 */
export async function whenSignedIn<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isRefused(error, 'session_over') && !isRefused(error, 'unauthenticated')) throw error;
      await session.present();
    }
  }
}
