/** What the wallet knows: read from the API, kept up by live updates, kept on the phone for later. */
import { answered, apiClient, isRefused, type Api, type Schemas } from '../lib/api/client.ts';
import { follow, type Event } from '../lib/api/live.ts';
import { payCode, nextMark, SHOWN_S, STEP_S, type Mark } from '../lib/codes/paycode.ts';
import { DEVICE, forgetDevice, type Device } from '../lib/device.ts';
import { t } from '../lib/i18n/index.ts';
import { stepUp } from '../lib/sign-in/stepUp.ts';
import { Soon } from '../lib/soon.ts';
import { read, readAll, write } from '../lib/store.ts';

export type Balance = Schemas['BalanceView'];
export type Line = Schemas['HistoryLine'];
export type Payment = Schemas['PersonPaymentView'];
export type Request = Schemas['RequestView'];
export type Card = Schemas['CardView'];
export type Packet = Schemas['PacketView'];

interface Snapshot {
  at: number;
  balances: Balance[];
  lines: Line[];
  currency: string;
}

interface Shown {
  mark: Mark;
  until: number;
}

const SNAPSHOT = 'wallet.snapshot';
const CLOCK = 'wallet.clock';
const LAST = 'wallet.last-event';
const SHOWN = 'wallet.code';
const HOME_LINES = 20;
/** A phone's clock that is no further off than this is as good as the server's. */
const CLOSE_MS = 5000;
/** One that is further off is said to be wrong: its owner may miss other things by it. */
const WRONG_MS = 60_000;
/** An answer that has not come by then is late. */
const LATE_MS = 2000;

class Wallet {
  device = $state.raw<Device | null>(null);
  /** what was found on the phone has been read */
  ready = $state(false);
  balances = $state.raw<Balance[] | null>(null);
  lines = $state.raw<Line[] | null>(null);
  cards = $state.raw<Card[]>([]);
  waiting = $state.raw<Payment[]>([]);
  asked = $state.raw<Request[]>([]);
  /** red packets of others that can be opened */
  packets = $state.raw<Packet[]>([]);
  currency = $state('CNY');
  /** when what is shown was true, in Unix milliseconds; null: now */
  asOf = $state<number | null>(null);
  live = $state<'starting' | 'live' | 'away'>('starting');
  /** whether money here is play money, as far as is known */
  sandbox = $state(false);
  /** how far the phone's own clock is wrong, plus if it is behind; 0 where that does no harm */
  clockOff = $state(0);
  /** counts up when something happened, for whoever reads anew then; a burst counts once */
  news = $state(0);

  /** how far Tandem's clock is ahead of the phone's */
  #clockMs = 0;
  /** how far a sandbox's clock was moved */
  #virtualMs = 0;
  /** whether there is such a clock, as far as is known */
  #sandbox = true;
  #ending = new AbortController();
  /** whether anything was read since the wallet was opened */
  #fresh = false;
  readonly #hearing = new Set<(event: Event) => void>();
  readonly #news = new Soon(() => {
    this.news += 1;
  });
  readonly #soon = new Soon(() => this.refresh());
  /** counts readings: the answer to an older one is dropped */
  #reading = 0;

  /** Read what this phone kept, and begin to follow. */
  async start(): Promise<void> {
    const [device, snapshot, clock, last] = await readAll<[Device, Snapshot, number, string]>([
      DEVICE,
      SNAPSHOT,
      CLOCK,
      LAST,
    ]);
    this.#clockMs = clock ?? 0;
    if (snapshot !== undefined && device !== undefined) {
      this.balances = snapshot.balances;
      this.lines = snapshot.lines;
      this.currency = snapshot.currency;
      // It is said to be old if nothing newer comes soon. Most often it does, and nothing jumps.
      setTimeout(() => {
        if (!this.#fresh && this.device === device) this.asOf ??= snapshot.at;
      }, LATE_MS);
    }
    if (device !== undefined) this.begin(device, last ?? null);
    this.ready = true;
  }

  /** This phone is this device from now on; `last` is the last event that it has heard of. */
  begin(device: Device, last: string | null = null): void {
    this.device = device;
    this.#ending = new AbortController();
    void this.refresh();
    void this.#follow(device, last, this.#ending.signal);
  }

  /** Leave this wallet: nothing of it stays on the phone. */
  async end(): Promise<void> {
    this.#ending.abort();
    await forgetDevice();
    this.device = this.balances = this.lines = null;
    this.waiting = [];
    this.asked = [];
    this.packets = [];
    this.cards = [];
    this.asOf = null;
    this.#fresh = false;
    this.live = 'starting';
  }

  get api(): Api {
    const api = apiClient(this.device?.key ?? null);
    api.use(stepUp);
    return api;
  }

  /** The balance that is looked at. */
  get balance(): Balance | null {
    return (
      this.balances?.find((one) => one.currency === this.currency) ?? this.balances?.[0] ?? null
    );
  }

  /** The balance in a currency, as far as it is known. */
  balanceIn(currency: string): Balance | null {
    return this.balances?.find((one) => one.currency === currency) ?? null;
  }

  /** Whether less than this amount is known to be available. */
  short(amount: number, currency: string): boolean {
    return amount > (this.balanceIn(currency)?.available ?? Infinity);
  }

  /** Now, by the clock that Tandem goes by, in Unix milliseconds. */
  now(): number {
    return Date.now() + this.#clockMs;
  }

  /** Read everything anew. What fails to come leaves what is there, with its time. */
  async refresh(): Promise<void> {
    const device = this.device;
    if (device === null) return;
    const reading = (this.#reading += 1);
    const old = (): boolean => reading !== this.#reading || this.device !== device;
    const api = this.api;
    try {
      const asked = api.GET('/v1/wallet');
      const { balances } = await answered(asked);
      if (old()) return;
      if (!balances.some((one) => one.currency === this.currency)) {
        this.currency = balances[0]?.currency ?? this.currency;
      }
      this.balances = balances;
      const query = { currency: this.currency, limit: HOME_LINES };
      const [history, payments, requests, packets, cards] = await Promise.all([
        answered(api.GET('/v1/wallet/history', { params: { query } })),
        answered(api.GET('/v1/wallet/payments', { params: { query: { limit: 20 } } })),
        answered(api.GET('/v1/wallet/requests', { params: { query: { limit: 50 } } })),
        answered(api.GET('/v1/wallet/packets', { params: { query: { limit: 20 } } })),
        answered(api.GET('/v1/people/me/cards', { params: { query: { limit: 20 } } })),
        this.#setClock((await asked).response),
      ]);
      if (old()) return;
      this.#fresh = true;
      this.lines = history.data;
      this.waiting = payments.data.filter((one) => one.status === 'waiting');
      this.asked = requests.data.filter(
        (one) => one.status === 'open' && one.direction === 'received',
      );
      this.packets = packets.data.filter((one) => one.can_open && one.role === 'received');
      this.cards = cards.data.filter((one) => SHOWN_CARDS.has(one.status));
      this.asOf = null;
      await write(SNAPSHOT, {
        ...{ at: Date.now(), balances, lines: history.data, currency: this.currency },
      } satisfies Snapshot);
    } catch (error) {
      if (old()) return;
      if (isRefused(error, 'unauthenticated')) await this.end();
      else this.asOf ??= (await read<Snapshot>(SNAPSHOT))?.at ?? null;
    }
  }

  /** Look at another currency. */
  async look(currency: string): Promise<void> {
    this.currency = currency;
    this.lines = null;
    await this.refresh();
  }

  /**
   * The pay code to show now and until when, in Unix milliseconds by our clock. The one that was
   * shown is shown again while it lives, unless `fresh`; null: wait for `soonest`.
   */
  async code(fresh: boolean): Promise<{ digits: string; until: number } | { soonest: number }> {
    const device = this.device;
    if (device === null) throw new Error('no device');
    const now = this.now();
    const before = (await read<Shown>(SHOWN)) ?? null;
    // A `until` far ahead is of a clock that was wrong.
    const lives = before !== null && now < before.until && before.until - now <= SHOWN_S * 1000;
    let shown = before;
    if (!lives || fresh) {
      const mark = nextMark(before?.mark ?? null, now / 1000);
      if (mark === null) return { soonest: ((before?.mark.step ?? 0) + 1) * STEP_S * 1000 };
      shown = { mark, until: now + SHOWN_S * 1000 };
      await write(SHOWN, shown);
    }
    if (shown === null) throw new Error('no code');
    return { digits: await payCode(device.seed, device.index, shown.mark), until: shown.until };
  }

  /** Something happened: what is shown is read anew, here and by the page. */
  #changed(): void {
    this.#news.ask();
    this.#soon.ask();
  }

  /** Hear each thing that happens, in order, until the function that comes back is called. */
  hear(listener: (event: Event) => void): () => void {
    this.#hearing.add(listener);
    return () => this.#hearing.delete(listener);
  }

  async #follow(device: Device, last: string | null, signal: AbortSignal): Promise<void> {
    // A new device begins with what is the latest now, so that it can say later what it missed.
    const after = last ?? (await this.#latest());
    const follower = {
      onEvent: (event: Event): void => {
        void write(LAST, event.id);
        this.#changed();
        for (const hear of this.#hearing) hear(event);
      },
      onState: (state: 'live' | 'away'): void => {
        // What happened since the last event that is known comes as events. Else it was missed.
        const missed = after === null || this.live === 'away' || this.asOf !== null;
        if (state === 'live' && this.live !== 'live' && missed) this.#changed();
        this.live = state;
      },
      onShut: () => void this.end(),
    };
    await follow(device.key, follower, signal, after);
  }

  async #latest(): Promise<string | null> {
    try {
      const query = { limit: 1 };
      const id = (await answered(this.api.GET('/v1/events', { params: { query } }))).data[0]?.id;
      if (id !== undefined) await write(LAST, id);
      return id ?? null;
    } catch {
      return null; // without a network there is nothing to have missed yet
    }
  }

  /** How far our clock is from Tandem's: the phone's own fault, and a sandbox's virtual time. */
  async #setClock(response: Response): Promise<void> {
    const date = Date.parse(response.headers.get('date') ?? '');
    const off = Number.isNaN(date) ? 0 : date - Date.now();
    if (this.#sandbox) {
      try {
        const clock = await answered(this.api.GET('/v1/sandbox/clock'));
        this.#virtualMs = clock.offset_seconds * 1000;
        this.sandbox = true;
      } catch (error) {
        this.#sandbox = !isRefused(error, 'no_such_path');
      }
    }
    this.clockOff = Math.abs(off) > WRONG_MS ? off : 0;
    this.#clockMs = (Math.abs(off) > CLOSE_MS ? off : 0) + this.#virtualMs;
    await write(CLOCK, this.#clockMs);
  }
}

const SHOWN_CARDS = new Set(['active', 'suspended', 'waiting_code', 'waiting_operator']);

export const wallet = new Wallet();

/** What a list says of a message that whoever looks may not see; null: there is none. */
export function hiddenOf(one: Line | Request): string | null {
  if (one.message !== null || one.message_state === 'clear') return null;
  return t(one.message_state === 'checking' ? 'message.checking' : 'message.hidden');
}
