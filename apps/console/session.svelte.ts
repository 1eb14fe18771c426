/** Who is signed in to the console: a merchant's staff, or the operator's. */
import {
  answered,
  apiClient,
  isRefused,
  RefusedError,
  type Api,
  type Schemas,
} from '../lib/api/client.ts';
import { settings } from '../lib/settings.svelte.ts';

export type Who = Schemas['Who'];
export type Employer = 'merchant' | 'operator';

const EMPLOYERS: Employer[] = ['merchant', 'operator'];

class Session {
  /** undefined until it is known, null if nobody is signed in */
  who = $state.raw<Who | null | undefined>(undefined);
  /** it cannot be known: no answer came */
  trouble = $state<unknown>(null);
  /** both kinds of staff are signed in in this browser */
  both = $state(false);

  /** Which part of the console is shown. */
  get employer(): Employer {
    return this.who?.kind === 'operator' ? 'operator' : 'merchant';
  }

  /** Who asks, for requests that are not made by `api`. */
  get asker(): { session: Employer } {
    return { session: this.employer };
  }

  get api(): Api {
    return apiClient(this.asker);
  }

  /** Whether whoever is signed in may do this. */
  may(scope: string): boolean {
    return this.who?.scopes.includes(scope) ?? false;
  }

  /** Look who is signed in. In a browser where both are, it is whom one was last. */
  async start(): Promise<void> {
    this.trouble = null;
    try {
      const found = await Promise.all(EMPLOYERS.map(signedIn));
      const there = found.filter((one) => one !== null);
      this.both = there.length > 1;
      this.who = there.find((one) => one.kind === settings.employer) ?? there[0] ?? null;
    } catch (error) {
      this.trouble = error;
    }
  }

  /** Somebody has signed in. */
  enter(who: Who): void {
    settings.set({ employer: who.kind === 'operator' ? 'operator' : 'merchant' });
    this.who = who;
    this.trouble = null;
  }

  /** The other of both. */
  async change(): Promise<void> {
    settings.set({ employer: this.employer === 'merchant' ? 'operator' : 'merchant' });
    this.who = undefined;
    await this.start();
  }

  /** Sign out. What cannot be told to the server now is tried again by whoever presses again. */
  async end(): Promise<void> {
    try {
      await answered(this.api.DELETE('/v1/session'));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error; // it was over already
    }
    this.who = undefined;
    await this.start();
  }

  /** Whether this says that the session is over; then the sign-in page shows. */
  isOver(error: unknown): boolean {
    const over = isRefused(error, 'session_over') || isRefused(error, 'unauthenticated');
    if (over) this.who = null;
    return over;
  }
}

async function signedIn(employer: Employer): Promise<Who | null> {
  try {
    const who = await answered(apiClient({ session: employer }).GET('/v1/session'));
    return who.kind === employer ? who : null;
  } catch (error) {
    if (error instanceof RefusedError && error.problem.status < 500) return null;
    throw error;
  }
}

export const session = new Session();
