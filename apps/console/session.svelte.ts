/** Who is signed in to the console: a merchant's staff, or the operator's. */
import type { Api } from '../lib/api/client.ts';
import { settings } from '../lib/settings.svelte.ts';
import { Session, type State, type Who } from '../lib/sign-in/session.svelte.ts';

type Employer = 'merchant' | 'operator';

class ConsoleSession {
  readonly of: Record<Employer, Session> = {
    merchant: new Session('merchant'),
    operator: new Session('operator'),
  };

  /** Which part of the console is shown: whose staff one is, or means to be. */
  get employer(): Employer {
    return settings.employer;
  }

  /** The session of that part. */
  get current(): Session {
    return this.of[this.employer];
  }

  get state(): State {
    return this.current.state;
  }

  get who(): Who | null {
    return this.current.who;
  }

  /** Who asks, for requests that are not made by `api`. */
  get asker(): { session: Employer } {
    return { session: this.employer };
  }

  get api(): Api {
    return this.current.api;
  }

  /** Whether both kinds of staff are signed in in this browser. */
  get both(): boolean {
    return this.of.merchant.state === 'in' && this.of.operator.state === 'in';
  }

  /**
   * Whether whoever is signed in may do this; while their session is over, whether they might:
   * their page is kept as it was.
   */
  may(scope: string): boolean {
    return this.who?.scopes.includes(scope) ?? false;
  }

  /**
   * Look who is signed in. If only the other kind is, that part is shown; a link may say
   * which is meant, behind its #.
   */
  async start(): Promise<void> {
    const meant = /^#(merchant|operator)$/.exec(location.hash)?.[1] as Employer | undefined;
    if (meant !== undefined) {
      this.choose(meant);
      history.replaceState(history.state, '', location.pathname + location.search);
    }
    await Promise.all([this.of.merchant.start(), this.of.operator.start()]);
    const other = this.employer === 'merchant' ? 'operator' : 'merchant';
    if (meant === undefined && this.state === 'out' && this.of[other].state === 'in')
      this.choose(other);
  }

  /** Go to the other part. */
  choose(employer: Employer): void {
    settings.set({ employer });
  }

  /** Sign out of the part that is shown. Throws if no answer came: then one is still signed in. */
  async end(): Promise<void> {
    await this.current.signOut();
  }
}

export const session = new ConsoleSession();
