/** Money from person to person: what is under way is noted on the phone before it is sent. */
import { answered, settle, type Api, type Schemas } from '../lib/api/client.ts';
import { forget, read, write } from '../lib/store.ts';

type Body = Schemas['SendMoney'];

interface UnderWay {
  key: string;
  body: Body;
  name: string;
}

const PLACE = 'wallet.sending';

/** A send whose outcome is not known: the page was closed before the answer came. */
export async function underWay(): Promise<UnderWay | null> {
  return (await read<UnderWay>(PLACE)) ?? null;
}

/**
 * Send money, or bring a send that is under way to its end: under the key that it began with, so
 * that it happens once. Throws what refused it; then nothing was sent.
 */
export async function send(
  api: Api,
  what: UnderWay,
  onUnknown: () => void,
): Promise<Schemas['SendView']> {
  await write(PLACE, what);
  const post = (key: string): Promise<Schemas['SendView']> =>
    answered(
      api.POST('/v1/wallet/sends', {
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
