/** What this till accepts now: followed live, so that a way that is switched off goes at once. */
import { answered, type Api, type Schemas } from '../lib/api/client.ts';
import { follow } from '../lib/api/live.ts';
import type { Place } from './till.svelte.ts';

export type Way = 'tap' | 'scan';
type Policy = Schemas['Acceptance'];

class Accepts {
  #policy = $state.raw<Policy | null>(null);
  #active = $state(true);

  /** Whether a way takes this payment, as far as is known: the server has the last word. */
  takes(way: Way, amount: number, currency: string): boolean {
    if (!this.#active) return false;
    const rule = this.#policy?.ways?.[way];
    if (rule?.enabled === false) return false;
    const most = rule?.max_amount?.[currency];
    return most === undefined || amount <= most;
  }

  /** Whether anything at all takes it. */
  any(amount: number, currency: string): boolean {
    return this.takes('scan', amount, currency) || this.takes('tap', amount, currency);
  }

  /** Follow a till's policy, or read a shop's, until the signal is aborted or the key no good. */
  begin(place: Place, api: Api, signal: AbortSignal, onShut: () => void): void {
    this.#policy = null;
    this.#active = true;
    if (place.till === null) {
      void this.#read(place, api);
      return;
    }
    const follower = {
      onEvent: (event: unknown): void => {
        const said = event as Schemas['TillAcceptance'];
        this.#policy = said.acceptance;
        this.#active = said.active;
      },
      onState: (): void => undefined,
      onShut,
    };
    const path = `/v1/tills/${place.till.id}/acceptance/stream`;
    void follow(place.key ?? { session: 'merchant' }, follower, signal, null, path);
  }

  async #read(place: Place, api: Api): Promise<void> {
    const path = { params: { path: { shop_id: place.shop.id } } };
    try {
      this.#policy = (await answered(api.GET('/v1/shops/{shop_id}', path))).acceptance;
    } catch {
      // Nothing is known: everything is offered, and the server refuses what is not taken.
    }
  }
}

export const accepts = new Accepts();
