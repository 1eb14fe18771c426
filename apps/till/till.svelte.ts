/** What a till knows: the shop or till that it takes money for, and the payment under way. */
import {
  answered,
  apiClient,
  isRefused,
  isUncertain,
  RefusedError,
  settle,
  type Api,
  type Caller,
  type Schemas,
} from '../lib/api/client.ts';
import { follow, rest } from '../lib/api/live.ts';
import { forget, read, write } from '../lib/store.ts';
import { accepts } from './accepts.svelte.ts';
import type { Line } from './basket.ts';
import { basket } from './kept.svelte.ts';
import { shop } from './shop.svelte.ts';
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
  /** whether a reader stands beside this till; a tap that it took says so, too */
  reader?: boolean;
}

/** What is to be paid: the tip is in the amount, and lines and tip come to it. */
export interface Sale {
  amount: number;
  currency: string;
  tip: number;
  lines: Line[];
}

/** A request that is sent until it is answered: always with the same body under the same key. */
interface UnderWay {
  key: string;
  body: Schemas['CreatePayment'];
}

const PLACE = 'till.place';
const UNDER_WAY = 'till.order';
const GIVEN_UP = 'till.given-up';
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
  /** what a request is about that was sent and whose answer has not come */
  unknown = $state.raw<Pick<Sale, 'amount' | 'currency'> | null>(null);
  /** what is being typed, for the customer's display */
  display = $state.raw<Pick<Sale, 'lines' | 'amount' | 'currency'> | null>(null);
  /** a tap at this order that was declined: the order stays open */
  declined = $state.raw<Payment | null>(null);
  /** an order is being made and no answer came: nobody has its code, so it can be given up */
  givable = $state(false);
  /** an order whose cancelling is no outcome: a charge comes in its place */
  #replaced: string | null = null;
  #order = new AbortController();
  /** what is listened to, until the till is closed or nobody is signed in */
  #listening = new AbortController();

  get api(): Api {
    const key = this.place?.key ?? null;
    return key === null ? session.api : apiClient(key);
  }

  get ended(): boolean {
    return this.payment !== null && ENDED.has(this.payment.status);
  }

  /** Whether a payment can be tapped: the shop takes it, and a reader stands here. */
  taps(payment: Payment): boolean {
    if (this.place?.till === null || this.place?.reader !== true) return false;
    return accepts.takes('tap', payment.amount, payment.currency);
  }

  async start(): Promise<void> {
    const place = await read<Place>(PLACE);
    if (place !== undefined) {
      if (place.key === null) void session.start();
      this.begin(place);
      await basket.start(place.currencies);
      const before = await read<UnderWay>(UNDER_WAY);
      // The page was closed over a payment: the same request brings the same payment.
      if (before !== undefined) this.#put(before).catch(() => undefined);
    }
    this.ready = true;
  }

  async open(place: Place): Promise<void> {
    await write(PLACE, place);
    this.begin(place);
  }

  begin(place: Place): void {
    this.place = place;
    this.#listen(place);
    if (place.reader === undefined) void this.#look();
  }

  /** Whether whoever is signed in works for another merchant than this till. */
  get strange(): boolean {
    if (this.place?.key !== null || session.state !== 'in') return false;
    return session.who?.employer_id !== this.place.merchantId;
  }

  /** Hear what happens, what is accepted, and what the shop sells. */
  #listen(place: Place): void {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const onShut = (): void => {
      if (signal.aborted) return;
      if (place.key === null) this.#staffLeft(place);
      else void this.close();
    };
    const follower = {
      onEvent: (event: { data: unknown }): void => {
        this.#told(event.data as Payment);
      },
      onState: (state: 'live' | 'away'): void => {
        this.live = state;
        if (state !== 'live') return;
        // It was opened without a network: who is signed in is known only now.
        if (place.key === null && session.state === 'away') void session.start();
        void this.look();
        void this.#clear();
      },
      onShut,
    };
    const caller: Caller = place.key ?? { session: 'merchant' };
    void follow(caller, follower, signal);
    accepts.begin(place, this.api, signal, onShut);
    void shop.load(place, this.api);
  }

  /** In a sandbox a phone taps without a reader, so every till has one. */
  async #look(): Promise<void> {
    try {
      await answered(this.api.GET('/v1/sandbox/clock'));
      await this.setReader(true);
    } catch (error) {
      if (isRefused(error, 'no_such_path')) await this.setReader(false);
    }
  }

  /** Nobody is signed in any more: listen again when somebody is who works here. */
  #staffLeft(place: Place): void {
    this.#listening.abort();
    const left = this.#listening;
    this.live = 'away';
    session.ended();
    void session.present().then(() => {
      if (this.#listening === left && this.place !== null && !this.strange) this.#listen(place);
    });
  }

  async close(): Promise<void> {
    this.#listening.abort();
    await forget('till.');
    basket.clear();
    this.place = this.payment = this.payload = null;
  }

  /** Whether a reader stands beside this till. */
  async setReader(reader: boolean): Promise<void> {
    if (this.place === null) return;
    this.place = { ...this.place, reader };
    await write(PLACE, this.place);
  }

  /** Make an order and its code. */
  async order(sale: Sale): Promise<void> {
    const way = accepts.takes('scan', sale.amount, sale.currency) ? 'scan' : 'tap';
    await this.#begin({ ...sale, way, pay_code: null });
  }

  /** Stop asking for an order whose answer does not come. If it was made it is cancelled later. */
  giveUp(): void {
    this.#order.abort();
  }

  /**
   * Charge the code that a person shows, instead of the order on the screen. That is cancelled
   * first: nobody pays twice. If it is being paid just now, it stays.
   */
  async charge(payCode: string): Promise<void> {
    const order = this.payment;
    if (order === null) return;
    this.#replaced = order.id;
    try {
      const now = await this.#cancelled(order);
      if (now.status === 'cancelled') await this.#instead(payCode, saleOf(order));
      else this.show(now);
    } finally {
      this.#replaced = null;
    }
  }

  /** Give up what is under way. If it was paid meanwhile, that is shown instead. */
  async cancel(): Promise<void> {
    if (this.payment === null) return;
    const now = await this.#cancelled(this.payment);
    if (now.status === 'cancelled') await this.next();
    else this.show(now);
  }

  /** The next customer. */
  async next(): Promise<void> {
    await forget(UNDER_WAY);
    this.payment = this.payload = this.declined = null;
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
      const now = await answered(
        this.api.GET('/v1/payments/{payment_id}', { params: { path: { payment_id: id } } }),
      );
      const instead = now.status === 'cancelled' ? await this.#tapped(id) : null;
      if (this.payment?.id === id && this.#replaced !== id) this.show(instead ?? now);
    } catch {
      // The next event or the next connection tells.
    }
  }

  /** What is told of this till's order, or of a tap in its place. */
  #told(told: Payment): void {
    const order = this.payment?.id;
    if (order === undefined) return;
    if (told.id === order && told.id !== this.#replaced) this.show(told);
    if (told.order_id !== order) return;
    if (this.place?.reader !== true) void this.setReader(true);
    if (told.status === 'declined') this.declined = told;
    else this.show(told);
  }

  /** The payment by a tap that was taken in the place of an order, if one was. */
  async #tapped(order: string): Promise<Payment | null> {
    const till = this.place?.till;
    if (till === null || till === undefined) return null;
    const query = { till_id: till.id, limit: 20 };
    const last = await answered(this.api.GET('/v1/payments', { params: { query } }));
    return last.data.find((one) => one.order_id === order && one.status !== 'declined') ?? null;
  }

  /** Charge a pay code. If it is no good the order is put up again, and the reason is told. */
  async #instead(payCode: string, sale: Sale): Promise<void> {
    try {
      await this.#begin({ ...sale, way: 'scan', pay_code: payCode });
    } catch (error) {
      await this.order(sale);
      throw error;
    }
  }

  /** Cancel the orders that were given up before their answer came, if they were made. */
  async #clear(): Promise<void> {
    const left = (await read<UnderWay[]>(GIVEN_UP)) ?? [];
    if (left.length === 0) return;
    await write(GIVEN_UP, []);
    for (const [at, one] of left.entries()) {
      try {
        const order = await this.#send(one.key, one.body);
        if (order.status === 'created') await this.#cancelled(order);
      } catch (error) {
        if (!isUncertain(error)) continue; // it was never made, or it is over
        await write(GIVEN_UP, left.slice(at));
        return;
      }
    }
  }

  async #begin(what: Omit<Schemas['CreatePayment'], 'shop_id' | 'till_id'>): Promise<void> {
    const place = this.place;
    if (place === null) return;
    const body = { ...this.#where(place), ...what };
    await this.#put({ key: crypto.randomUUID(), body });
  }

  async #put(under: UnderWay): Promise<void> {
    await write(UNDER_WAY, under);
    this.payload = this.declined = null;
    this.#order = new AbortController();
    try {
      const order = await this.#post(under);
      this.show(order);
      basket.clear(); // it is this order now
      if (order.status !== 'created') {
        await this.look(); // the answer is what it was first; it may have moved on since
        return;
      }
      const path = { params: { path: { payment_id: order.id } } };
      const draw = (): Promise<Schemas['CodeView']> =>
        answered(this.api.GET('/v1/payments/{payment_id}/code', path));
      this.payload = (await this.ask(() => settle(draw, { key: '' }))).payload;
    } catch (error) {
      await forget(UNDER_WAY);
      if (!this.#order.signal.aborted) throw error;
      const before = (await read<UnderWay[]>(GIVEN_UP)) ?? [];
      await write(GIVEN_UP, [...before, under]);
    }
  }

  /** Ask as this till does; one that goes by its staff waits for them. */
  ask<T>(ask: () => Promise<T>): Promise<T> {
    if (this.place?.key !== null) return ask();
    return whenSignedIn(() => {
      this.unknown = null;
      return ask();
    });
  }

  #where(place: Place): { till_id: string } | { shop_id: string } {
    return place.till === null ? { shop_id: place.shop.id } : { till_id: place.till.id };
  }

  async #post({ key, body }: UnderWay): Promise<Payment> {
    const onUnknown = (): void => {
      this.unknown = body;
      this.givable = (body.pay_code ?? null) === null;
    };
    const { signal } = this.#order;
    try {
      const pause = (ms: number): Promise<void> => rest(ms, signal);
      const send = (same: string): Promise<Payment> => this.#send(same, body, signal);
      return await this.ask(() => settle(send, { key, onUnknown, signal, pause }));
    } finally {
      this.unknown = null;
      this.givable = false;
    }
  }

  #send(
    key: string,
    body: Schemas['CreatePayment'],
    signal: AbortSignal | null = null,
  ): Promise<Payment> {
    const header = { 'Idempotency-Key': key };
    return answered(this.api.POST('/v1/payments', { params: { header }, body, signal }));
  }

  async #cancelled(payment: Payment): Promise<Payment> {
    const path = { payment_id: payment.id };
    const send = (key: string): Promise<Payment> =>
      answered(
        this.api.POST('/v1/payments/{payment_id}/cancel', {
          params: { path, header: { 'Idempotency-Key': key } },
        }),
      );
    try {
      const key = crypto.randomUUID();
      const onUnknown = (): void => {
        this.unknown = payment;
      };
      return await this.ask(() => settle(send, { key, onUnknown }));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      const now = await answered(this.api.GET('/v1/payments/{payment_id}', { params: { path } }));
      // Cancelled by nobody here: a tap was taken in its place.
      return (now.status === 'cancelled' ? await this.#tapped(payment.id) : null) ?? now;
    } finally {
      this.unknown = null;
    }
  }
}

function saleOf(payment: Payment): Sale {
  const { amount, currency, tip = 0, lines = [] } = payment;
  return {
    amount,
    currency,
    tip,
    lines: lines.map(({ name, quantity = 1, unit_amount }) => ({ name, quantity, unit_amount })),
  };
}

export const till = new Till();
