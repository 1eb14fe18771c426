/** What a till knows: the shop or till that it takes money for, and the payment under way. */
import {
  answered,
  apiClient,
  RefusedError,
  settle,
  type Api,
  type Caller,
  type Schemas,
} from '../lib/api/client.ts';
import { follow } from '../lib/api/live.ts';
import { forget, read, write } from '../lib/store.ts';
import { session, whenSignedIn } from './signIn.ts';

export type Payment = Schemas['PaymentView'];

/** Where this browser takes payments: one of a merchant's shops or tills. */
export interface Place {
  /** a merchant's key; null: whoever of its staff is signed in */
  key: string | null;
  merchantId: string;
  merchant: string;
  shop: { id: string; name: string };
  till: { id: string; name: string } | null;
  currencies: string[];
}

interface UnderWay {
  key: string;
  amount: number;
  currency: string;
  /** the code that a person showed; without it this is an order */
  payCode?: string;
}

const PLACE = 'till.place';
const UNDER_WAY = 'till.order';
const ENDED = new Set([
  'authorised',
  'captured',
  'cancelled',
  'declined',
  'expired',
  'refunded',
  'partially_refunded',
]);

class Till {
  place = $state.raw<Place | null>(null);
  ready = $state(false);
  live = $state<'starting' | 'live' | 'away'>('starting');
  /** the order or charge under way */
  payment = $state.raw<Payment | null>(null);
  /** the text of its code, to be drawn */
  payload = $state<string | null>(null);
  /** a request was sent and its answer has not come */
  unknown = $state(false);
  /** an order whose cancelling is no outcome: a charge comes in its place */
  #replaced: string | null = null;
  #ending = new AbortController();

  get api(): Api {
    const key = this.place?.key ?? null;
    return key === null ? session.api : apiClient(key);
  }

  get ended(): boolean {
    return this.payment !== null && ENDED.has(this.payment.status);
  }

  async start(): Promise<void> {
    const place = await read<Place>(PLACE);
    if (place !== undefined) {
      if (place.key === null) void session.start();
      this.begin(place);
      const before = await read<UnderWay>(UNDER_WAY);
      // The page was closed over a payment: the same request brings the same payment.
      if (before !== undefined) this.#begin(before).catch(() => undefined);
    }
    this.ready = true;
  }

  async open(place: Place): Promise<void> {
    await write(PLACE, place);
    this.begin(place);
  }

  begin(place: Place): void {
    this.place = place;
    this.#ending = new AbortController();
    const follower = {
      onEvent: (event: { data: unknown }): void => {
        const told = event.data as Payment;
        if (told.id === this.payment?.id && told.id !== this.#replaced) this.show(told);
      },
      onState: (state: 'live' | 'away'): void => {
        this.live = state;
        if (state === 'live') void this.look();
      },
      onShut: () => {
        if (place.key !== null) void this.close();
        else this.#staffLeft(listen, signal);
      },
    };
    const { signal } = this.#ending;
    const caller: Caller = place.key ?? { session: 'merchant' };
    const listen = (): void => void follow(caller, follower, signal);
    listen();
  }

  /** Nobody is signed in any more: listen again when somebody is. */
  #staffLeft(listen: () => void, signal: AbortSignal): void {
    this.live = 'away';
    session.ended();
    void session.present().then(() => {
      if (signal.aborted) return;
      // Another shop's staff does not take over this one's till.
      if (session.who?.employer_id === this.place?.merchantId) listen();
      else void this.close();
    });
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await forget('till.');
    this.place = this.payment = this.payload = null;
  }

  /** Make an order and its code. */
  async order(amount: number, currency: string): Promise<void> {
    await this.#begin({ key: crypto.randomUUID(), amount, currency });
  }

  /**
   * Charge the code that a person shows, instead of the order on the screen. That is cancelled
   * first: nobody pays twice. If it is being paid just now, it stays.
   */
  async charge(payCode: string): Promise<void> {
    const order = this.payment;
    if (order === null) return;
    const { amount, currency } = order;
    this.#replaced = order.id;
    try {
      const now = await this.#cancelled(order.id);
      if (now.status === 'cancelled') await this.#instead(payCode, amount, currency);
      else this.show(now);
    } finally {
      this.#replaced = null;
    }
  }

  /** Give up what is under way. If it was paid meanwhile, that is shown instead. */
  async cancel(): Promise<void> {
    if (this.payment === null) return;
    const now = await this.#cancelled(this.payment.id);
    if (now.status === 'cancelled') await this.next();
    else this.show(now);
  }

  /** The next customer. */
  async next(): Promise<void> {
    await forget(UNDER_WAY);
    this.payment = this.payload = null;
  }

  show(payment: Payment): void {
    if (this.payment?.id === payment.id && this.payment.updated_at > payment.updated_at) return;
    this.payment = payment;
    if (ENDED.has(payment.status)) void forget(UNDER_WAY);
  }

  /** Ask how the payment stands: something may have happened while nobody listened. */
  async look(): Promise<void> {
    const id = this.payment?.id;
    if (id === undefined) return;
    try {
      this.show(
        await answered(
          this.api.GET('/v1/payments/{payment_id}', {
            params: { path: { payment_id: id } },
          }),
        ),
      );
    } catch {
      // The next event or the next connection tells.
    }
  }

  /** Charge a pay code. If it is no good the order is put up again, and the reason is told. */
  async #instead(payCode: string, amount: number, currency: string): Promise<void> {
    try {
      await this.#begin({ key: crypto.randomUUID(), amount, currency, payCode });
    } catch (error) {
      await this.order(amount, currency);
      throw error;
    }
  }

  async #begin({ key, payCode, ...what }: UnderWay): Promise<void> {
    const place = this.place;
    if (place === null) return;
    await write(UNDER_WAY, { key, payCode, ...what });
    this.payload = null;
    const body = { ...this.#where(place), ...what, pay_code: payCode ?? null };
    try {
      const order = await this.#post(key, body);
      this.show(order);
      if (order.status !== 'created') {
        await this.look(); // the answer is what it was first; it may have moved on since
        return;
      }
      const path = { params: { path: { payment_id: order.id } } };
      const draw = (): Promise<Schemas['CodeView']> =>
        answered(this.api.GET('/v1/payments/{payment_id}/code', path));
      this.payload = (await this.#ask(() => settle(draw, { key: '' }))).payload;
    } catch (error) {
      await forget(UNDER_WAY);
      throw error;
    }
  }

  /** Ask as this till does; one that goes by its staff waits for them. */
  #ask<T>(ask: () => Promise<T>): Promise<T> {
    if (this.place?.key !== null) return ask();
    return whenSignedIn(() => {
      this.unknown = false;
      return ask();
    });
  }

  #where(place: Place): { till_id: string } | { shop_id: string } {
    return place.till === null ? { shop_id: place.shop.id } : { till_id: place.till.id };
  }

  async #post(key: string, body: Schemas['CreatePayment']): Promise<Payment> {
    const send = (same: string): Promise<Payment> =>
      answered(
        this.api.POST('/v1/payments', {
          params: { header: { 'Idempotency-Key': same } },
          body,
        }),
      );
    try {
      const onUnknown = (): boolean => (this.unknown = true);
      return await this.#ask(() => settle(send, { key, onUnknown }));
    } finally {
      this.unknown = false;
    }
  }

  async #cancelled(id: string): Promise<Payment> {
    const path = { payment_id: id };
    const send = (key: string): Promise<Payment> =>
      answered(
        this.api.POST('/v1/payments/{payment_id}/cancel', {
          params: { path, header: { 'Idempotency-Key': key } },
        }),
      );
    try {
      const key = crypto.randomUUID();
      const onUnknown = (): boolean => (this.unknown = true);
      return await this.#ask(() => settle(send, { key, onUnknown }));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      return answered(this.api.GET('/v1/payments/{payment_id}', { params: { path } }));
    } finally {
      this.unknown = false;
    }
  }
}

export const till = new Till();
