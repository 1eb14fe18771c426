/** What every page of a merchant's console knows: who it is, its shops and their tills. */
import { answered, type Schemas } from '../../lib/api/client.ts';
import { Loaded } from '../../lib/work.svelte.ts';
import { session } from '../session.svelte.ts';

export type Shop = Schemas['ShopView'];
export type Till = Schemas['TillView'];

export interface Merchant {
  me: Schemas['MerchantView'];
  currencies: string[];
  shops: { shop: Shop; tills: Till[] }[];
}

const PAGE = 100;

/** All of a list, page after page: a merchant has few shops and tills. */
async function all<Item>(
  read: (query: {
    limit: number;
    after?: string;
  }) => Promise<{ data: readonly Item[]; next: string | null }>,
): Promise<Item[]> {
  const found: Item[] = [];
  for (let after: string | null = ''; after !== null;) {
    const page: { data: readonly Item[]; next: string | null } = await read({
      limit: PAGE,
      ...(after === '' ? {} : { after }),
    });
    found.push(...page.data);
    after = page.next;
  }
  return found;
}

async function read(): Promise<Merchant> {
  const { api } = session;
  const me = await answered(api.GET('/v1/merchants/me'));
  const shops = await all((query) => answered(api.GET('/v1/shops', { params: { query } })));
  const tills = await Promise.all(
    shops.map((shop) =>
      all((query) =>
        answered(
          api.GET('/v1/shops/{shop_id}/tills', {
            params: { path: { shop_id: shop.id }, query },
          }),
        ),
      ),
    ),
  );
  return {
    me,
    currencies: Object.keys(me.currencies),
    shops: shops.map((shop, at) => ({ shop, tills: tills[at] ?? [] })),
  };
}

export const merchant = new Loaded(read);

/** The name of a shop; its id while it is not known. */
export function shopName(id: string): string {
  return merchant.value?.shops.find((one) => one.shop.id === id)?.shop.name ?? id;
}

/** The name of a till; its id while it is not known. */
export function tillName(id: string): string {
  const tills = merchant.value?.shops.flatMap((one) => one.tills) ?? [];
  return tills.find((one) => one.id === id)?.name ?? id;
}
