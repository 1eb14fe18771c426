/**
 * What moves money, or asks for it, is noted on the phone before it is sent: under the key that it
 * began with it is brought to its end, however often the page is closed, and happens once.
 */
import { answered, settle, type Api, type Schemas } from '../lib/api/client.ts';
import { forget, readFrom, write } from '../lib/store.ts';
import type { Payment, Request } from './wallet.svelte.ts';

interface UnderWay<What> {
  key: string;
  /** when it began, in Unix milliseconds */
  at: number;
  what: What;
}

/** The server knows a key for 30 days. After that the same key would be a new command. */
const KNOWN_MS = 29 * 24 * 3600 * 1000;

/** One kind of command. Each that is under way has a note of its own: another tab's is kept, too. */
export class Moving<What, Made> {
  readonly #place: string;
  readonly #post: (api: Api, what: What, key: string) => Promise<Made>;

  /** `post` sends it once, under a key. */
  constructor(name: string, post: (api: Api, what: What, key: string) => Promise<Made>) {
    this.#place = `wallet.moving.${name}.`;
    this.#post = post;
  }

  /** Those whose outcome is not known, the first one first: a page was closed over them. */
  async underWay(): Promise<UnderWay<What>[]> {
    const noted = await readFrom<UnderWay<What>>(this.#place);
    const known = noted.filter((one) => one.at > Date.now() - KNOWN_MS);
    return known.sort((one, other) => one.at - other.at);
  }

  /** Do it. Throws what refused it; then nothing was done. */
  async begin(api: Api, what: What, onUnknown: () => void): Promise<Made> {
    const one = { key: crypto.randomUUID(), at: Date.now(), what };
    await write(this.#place + one.key, one);
    return this.end(api, one, onUnknown);
  }

  /** Bring one that is under way to its end. Throws what refused it; then nothing was done. */
  async end(api: Api, one: UnderWay<What>, onUnknown: () => void): Promise<Made> {
    const post = (key: string): Promise<Made> => this.#post(api, one.what, key);
    try {
      return await settle(post, { key: one.key, onUnknown });
    } finally {
      // Reached only once it is answered: `settle` does not give up.
      await forget(this.#place + one.key);
    }
  }
}

const header = (key: string): { 'Idempotency-Key': string } => ({ 'Idempotency-Key': key });

/** Money to a person, whose name is kept to be shown. */
export type Send = Omit<Schemas['SendMoney'], 'to'> & { to: Schemas['PersonCard'] };

export const sends = new Moving<Send, Schemas['SendView']>('send', (api, { to, ...what }, key) =>
  answered(
    api.POST('/v1/wallet/sends', {
      params: { header: header(key) },
      body: { ...what, to: to.handle },
    }),
  ),
);

/** A payment at a shop's own code; the shop's name is kept to be shown, if it was known. */
export type ShopPayment = Schemas['PayCodeOfShop'] & {
  amount: number;
  currency: string;
  shop?: string | undefined;
};

export const shopPayments = new Moving<ShopPayment, Payment>('pay', (api, { shop, ...body }, key) =>
  answered(api.POST('/v1/wallet/payments', { params: { header: header(key) }, body })),
);

/** A request of one's own; the name of who is asked is kept to be shown. */
export type Asking = Omit<Schemas['AskForMoney'], 'of'> & { of: Schemas['PersonCard'] };

export const requests = new Moving<Asking, Request>('asking', (api, { of, ...what }, key) =>
  answered(
    api.POST('/v1/wallet/requests', {
      params: { header: header(key) },
      body: { ...what, of: of.handle },
    }),
  ),
);

/** The request of somebody else that is paid; how much it is, and who asks, to be shown. */
export type Acceptance = Pick<Request, 'id' | 'amount' | 'currency' | 'other'>;

export const accepts = new Moving<Acceptance, Request>('accepting', (api, { id }, key) =>
  answered(
    api.POST('/v1/wallet/requests/{request_id}/accept', {
      params: { path: { request_id: id }, header: header(key) },
    }),
  ),
);
