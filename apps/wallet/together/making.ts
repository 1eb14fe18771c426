/** Money into a red packet: what is under way is noted on the phone before it is sent. */
import { answered, settle, type Api, type Schemas } from '../../lib/api/client.ts';
import { forget, read, write } from '../../lib/store.ts';

export type Packet = Schemas['PacketView'];
export type Share = Schemas['PacketShareView'];
export type Split = Schemas['SplitView'];

interface UnderWay {
  key: string;
  body: Schemas['MakePacket'];
}

const PLACE = 'wallet.packing';

/** A packet whose outcome is not known: the page was closed before the answer came. */
export async function underWay(): Promise<UnderWay | null> {
  return (await read<UnderWay>(PLACE)) ?? null;
}

/**
 * Make a packet, or bring one that is under way to its end: under the key that it began with, so
 * that it is made once. Throws what refused it; then no money was moved.
 */
export async function makePacket(api: Api, what: UnderWay, onUnknown: () => void): Promise<Packet> {
  await write(PLACE, what);
  const post = (key: string): Promise<Packet> =>
    answered(
      api.POST('/v1/wallet/packets', {
        params: { header: { 'Idempotency-Key': key } },
        body: what.body,
      }),
    );
  try {
    return await settle(post, { key: what.key, onUnknown });
  } finally {
    // Reached only once it is answered: `settle` does not give up.
    await forget(PLACE);
  }
}
