/** Money into a red packet. */
import { answered, type Schemas } from '../../lib/api/client.ts';
import { Moving } from '../moving.ts';

export type Packet = Schemas['PacketView'];
export type Share = Schemas['PacketShareView'];
export type Split = Schemas['SplitView'];

/** A red packet to be made; whom it is for is kept to be shown. */
export type Filling = Schemas['MakePacket'] & { people?: Schemas['PersonCard'][] };

export const packets = new Moving<Filling, Packet>('packet', (api, { people, ...body }, key) =>
  answered(
    api.POST('/v1/wallet/packets', { params: { header: { 'Idempotency-Key': key } }, body }),
  ),
);

/** Asking several people, each for their part. */
export const splits = new Moving<Schemas['MakeSplit'], Split>('split', (api, body, key) =>
  answered(api.POST('/v1/wallet/splits', { params: { header: { 'Idempotency-Key': key } }, body })),
);
