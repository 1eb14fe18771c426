/**
 * Who this phone is: a device of a person's, whose key its requests go by, with or without a session
 * beside it. The seed of its pay codes becomes a key of the browser's, which can sign and cannot be
 * read. The device's own key has to be sent, and so lies beside it as text.
 */
import { answered, apiClient, settle, type Api, type Schemas } from './api/client.ts';
import { importSeed } from './codes/paycode.ts';
import { forget, read, write } from './store.ts';

export interface Device {
  /** unknown of one that was connected by its values */
  id?: string;
  key: string;
  index: string;
  seed: CryptoKey;
  person: { handle: string; name: string };
}

/** Where the device that this phone is lies; nothing if it is none yet. */
export const DEVICE = 'wallet.device';
const SIGN_UP = 'wallet.sign-up';
const KEY = /^tk_dev_[A-Za-z0-9_-]{16,100}$/;
const INDEX = /^[0-9]{8}$/;

/** Whether this page may keep keys: browsers allow it over https, and on the machine itself. */
export function canKeepKeys(): boolean {
  return isSecureContext && 'subtle' in crypto;
}

interface SignUp {
  idempotencyKey: string;
  handle: string;
  name: string;
}

/**
 * Make a wallet. Its idempotency key lies on the device before the request goes out: if the answer
 * is lost, even with the page, the same request made again brings the same wallet.
 */
export async function signUp(
  handle: string,
  name: string,
  deviceName: string,
  onUnknown: () => void,
): Promise<Device> {
  const before = await read<SignUp>(SIGN_UP);
  const same = before?.handle === handle && before.name === name;
  const attempt = same ? before : { idempotencyKey: crypto.randomUUID(), handle, name };
  await write(SIGN_UP, attempt);
  const api = apiClient(null);
  const made = await settle(
    (key) =>
      answered(
        api.POST('/v1/people', {
          params: { header: { 'Idempotency-Key': key } },
          body: { handle, name, device_name: deviceName },
        }),
      ),
    { key: attempt.idempotencyKey, onUnknown },
  );
  const device = await keepNew(made.device, made.person);
  await forget(SIGN_UP);
  return device;
}

/** Keep a device that was just made for this phone. */
export async function keepNew(
  made: Schemas['NewDevice'],
  person: { handle: string; name: string },
): Promise<Device> {
  return keep({ key: made.key, index: made.code_index, seed: made.code_seed }, person, made.id);
}

/** Make this phone a further device of whoever has signed in. */
export async function addThisPhone(
  api: Api,
  name: string,
  person: { handle: string; name: string },
): Promise<Device> {
  const made = await settle(
    (key) =>
      answered(
        api.POST('/v1/people/me/devices', {
          params: { header: { 'Idempotency-Key': key } },
          body: { name },
        }),
      ),
    { key: crypto.randomUUID() },
  );
  return keepNew(made, person);
}

/** What is wrong with what was typed, or null. */
export function wrongWith(
  key: string,
  index: string,
  seed: string,
): 'key' | 'index' | 'seed' | null {
  if (!KEY.test(key)) return 'key';
  if (!INDEX.test(index)) return 'index';
  return seedBytes(seed) === null ? 'seed' : null;
}

/** What a link to connect a phone carries behind its #, which no server is sent. */
export interface Given {
  key: string;
  index: string;
  seed: string;
}

/** Read such a link's end: `#key.index.seed`. Null if it is none. */
export function givenBy(hash: string): Given | null {
  const [key = '', index = '', seed = ''] = hash.replace(/^#/, '').split('.');
  return wrongWith(key, index, seed) === null ? { key, index, seed } : null;
}

/** Make this phone a device that the operator made: with its key, its index and its seed. */
export async function connect(key: string, index: string, seed: string): Promise<Device> {
  const person = await answered(apiClient(key).GET('/v1/people/me'));
  return keep({ key, index, seed }, person);
}

/** Forget the device and all that is known of its wallet. */
export async function forgetDevice(): Promise<void> {
  await forget('wallet.');
}

async function keep(
  { key, index, seed }: Given,
  { handle, name }: { handle: string; name: string },
  id?: string,
): Promise<Device> {
  const bytes = seedBytes(seed);
  if (bytes === null) throw new RangeError('no seed');
  const device = {
    ...(id === undefined ? {} : { id }),
    ...{ key, index, seed: await importSeed(bytes), person: { handle, name } },
  };
  await write(DEVICE, device);
  return device;
}

function seedBytes(seed: string): Uint8Array<ArrayBuffer> | null {
  try {
    const bytes = Uint8Array.from(atob(seed.trim().replace(/-/g, '+').replace(/_/g, '/')), (one) =>
      one.charCodeAt(0),
    );
    return bytes.length === 32 ? bytes : null;
  } catch {
    return null;
  }
}
