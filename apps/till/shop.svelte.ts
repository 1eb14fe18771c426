/** What the shop sells and how it asks for tips; kept on this machine for when the network is away. */
import { answered, type Api, type Schemas } from '../lib/api/client.ts';
import { read, write } from '../lib/store.ts';
import type { Item } from './basket.ts';
import type { Place } from './till.svelte.ts';

type Tips = Required<Schemas['TipSettings']>;

interface Kept {
  shop: string;
  items: Item[];
  tips: Tips;
}

const PLACE = 'till.shop';
const NO_TIPS: Tips = { percentages: [], own_amount: false };

class ShopOfTill {
  items = $state.raw<Item[]>([]);
  tips = $state.raw<Tips>(NO_TIPS);

  get asksForTip(): boolean {
    return this.tips.percentages.length > 0 || this.tips.own_amount;
  }

  /** What was kept, then what is so now. */
  async load(place: Place, api: Api): Promise<void> {
    const kept = await read<Kept>(PLACE);
    if (kept?.shop === place.shop.id) {
      this.items = kept.items;
      this.tips = kept.tips;
    }
    await this.refresh(place, api).catch(() => undefined);
  }

  /** Read it anew. Throws what the client does. */
  async refresh(place: Place, api: Api): Promise<void> {
    const path = { shop_id: place.shop.id };
    const shop = await answered(api.GET('/v1/shops/{shop_id}', { params: { path } }));
    const items: Item[] = [];
    let after: string | null = null;
    do {
      const query = { limit: 100, ...(after === null ? {} : { after }) };
      const page: Schemas['ItemViewPage'] = await answered(
        api.GET('/v1/shops/{shop_id}/items', { params: { path, query } }),
      );
      items.push(...page.data);
      after = page.next;
    } while (after !== null);
    this.items = items;
    this.tips = { ...NO_TIPS, ...shop.tips };
    await write(PLACE, { shop: place.shop.id, items, tips: $state.snapshot(this.tips) });
  }
}

export const shop = new ShopOfTill();
