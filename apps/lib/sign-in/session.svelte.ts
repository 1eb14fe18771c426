/**
 * Who is signed in, in one of the three ways that there are sessions: as a person, for a merchant,
 * for the operator. The token lies in a cookie that no script can read; what is known here is what
 * the API says of it.
 */
import {
  answered,
  apiClient,
  isRefused,
  type Api,
  type Kind,
  type Schemas,
} from '../api/client.ts';
import { makePasskey, usePasskey, browserName } from './passkeys.ts';

export type Who = Schemas['Who'];
export type Offered = Schemas['Offered'];
export type State = 'starting' | 'in' | 'out' | 'away';

/** The passkey was of somebody else's kind: a wallet's at the till. They are signed out again. */
export class OtherKindError extends Error {
  readonly who: Who;

  constructor(who: Who) {
    super(who.kind);
    this.name = 'OtherKindError';
    this.who = who;
  }
}

export class Session {
  readonly kind: Kind;
  /** asks as whoever is signed in; tells when nobody is any more */
  readonly api: Api;
  state = $state<State>('starting');
  /** who is signed in, or was until the session ended */
  who = $state.raw<Who | null>(null);
  /** the session ended by itself, or was ended elsewhere: whoever it was may go on */
  over = $state(false);
  /** how often somebody signed in */
  #entries = 0;

  constructor(kind: Kind) {
    this.kind = kind;
    this.api = apiClient({ session: kind });
    const asked = new WeakMap<Request, number>();
    this.api.use({
      onRequest: ({ request }) => void asked.set(request, this.#entries),
      onResponse: async ({ request, response }) => {
        // A late answer says nothing of a session that was opened after it was asked.
        const isOurs = asked.get(request) === this.#entries;
        if (isOurs && response.status === 401 && (await isOver(response))) this.ended();
      },
    });
  }

  /** Find out who is signed in. */
  async start(): Promise<void> {
    try {
      this.#entered(await answered(apiClient({ session: this.kind }).GET('/v1/session')));
    } catch (error) {
      if (isRefused(error, 'unauthenticated') || isRefused(error, 'session_over')) this.ended();
      else this.state = 'away';
    }
  }

  /** Sign in with a passkey. Throws `PasskeyError`, `RefusedError`, `OtherKindError`. */
  async signIn(): Promise<void> {
    const api = apiClient({ session: this.kind });
    const options = await answered(api.POST('/v1/sign-in/options'));
    const credential = await usePasskey(options);
    await this.#come(await answered(api.POST('/v1/sign-in', { body: { credential } })));
  }

  /** In a sandbox: come in as somebody, without a passkey. */
  async walkIn(as: Pick<Offered, 'id' | 'handle'>): Promise<void> {
    const api = apiClient({ session: this.kind });
    const body = as.handle === null ? { staff_id: as.id } : { handle: as.handle };
    await this.#come(await answered(api.POST('/v1/sandbox/sign-in', { body })));
  }

  /** Come in on a new device by a code. Throws what `signIn` throws. */
  async comeInByCode(handle: string, code: string): Promise<void> {
    const api = apiClient({ session: this.kind });
    const options = await answered(
      api.POST('/v1/sign-in/code/options', { body: { handle, code } }),
    );
    const body = { credential: await makePasskey(options), name: browserName() };
    await this.#come(await answered(api.POST('/v1/sign-in/code', { body })));
  }

  /** The session is over, as a live update or an answer says. */
  ended(): void {
    this.over = this.who !== null;
    this.state = 'out';
  }

  /** Whoever accepted an invitation or signed up is in. */
  entered(who: Who): void {
    this.#entered(who);
  }

  /** Ask for the passkey once more: for ten minutes one may change how one signs in. */
  async verify(): Promise<void> {
    const options = await answered(this.api.POST('/v1/session/verify/options'));
    const credential = await usePasskey(options);
    await answered(this.api.POST('/v1/session/verify', { body: { credential } }));
  }

  /** Do what may ask for the passkey first: then it is asked for, and the same is done again. */
  async surely<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isRefused(error, 'sign_in_stale')) throw error;
      await this.verify();
      return work();
    }
  }

  /** Sign out. Without an answer one is still signed in, and it throws. */
  async signOut(): Promise<void> {
    try {
      await answered(apiClient({ session: this.kind }).DELETE('/v1/session'));
    } catch (error) {
      if (!isRefused(error, 'session_over') && !isRefused(error, 'unauthenticated')) throw error;
    }
    this.left();
  }

  /** Nobody is signed in any more, and nobody goes on where they were. */
  left(): void {
    this.who = null;
    this.over = false;
    this.state = 'out';
  }

  /** Whether whoever is signed in may do this. */
  may(scope: string): boolean {
    return this.state === 'in' && (this.who?.scopes.includes(scope) ?? false);
  }

  async #come(who: Who): Promise<void> {
    if (who.kind !== this.kind) {
      // A wallet left open at a shop's till would be anybody's.
      await answered(apiClient({ session: who.kind }).DELETE('/v1/session'));
      throw new OtherKindError(who);
    }
    this.#entered(who);
  }

  #entered(who: Who): void {
    this.#entries += 1;
    this.who = who;
    this.over = false;
    this.state = 'in';
  }
}

/** Whom a sandbox offers to sign in as; null where this is none. */
export async function walkIns(kind: Kind): Promise<Offered[] | null> {
  try {
    const { data } = await answered(apiClient(null).GET('/v1/sandbox/sign-in'));
    return data.filter((one) => one.kind === kind);
  } catch {
    return null;
  }
}

/** Whether the API itself says that the session is over; a proxy's 401 ends nobody's. */
async function isOver(response: Response): Promise<boolean> {
  try {
    const { code } = (await response.clone().json()) as { code?: unknown };
    return code === 'session_over' || code === 'unauthenticated';
  } catch {
    return false;
  }
}
