/**
 * What a face keeps on this device, in IndexedDB: values by name. Keys of the browser
 * (`CryptoKey`) can lie there without ever having been readable.
 */

const NAME = 'tandem';
const TABLE = 'kept';

let opened: Promise<IDBDatabase> | null = null;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      opened = null;
      reject(request.error ?? new Error('the device keeps nothing'));
    };
  });
  return opened;
}

async function change(work: (table: IDBObjectStore) => unknown): Promise<void> {
  const transaction = (await database()).transaction(TABLE, 'readwrite', { durability: 'strict' });
  work(transaction.objectStore(TABLE));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => {
      resolve();
    };
    transaction.onerror = transaction.onabort = () => {
      reject(transaction.error ?? new Error('the device did not keep it'));
    };
  });
}

/** What is kept under a name, or undefined. */
export async function read<T>(name: string): Promise<T | undefined> {
  return (await readAll<[T]>([name]))[0];
}

/** What is kept under several names, as they were at one moment. */
export async function readAll<Kept extends unknown[]>(names: {
  [At in keyof Kept]: string;
}): Promise<{ [At in keyof Kept]: Kept[At] | undefined }> {
  const table = (await database()).transaction(TABLE, 'readonly').objectStore(TABLE);
  const found = names.map(
    (name) =>
      new Promise((resolve, reject) => {
        const request: IDBRequest<unknown> = table.get(name);
        request.onsuccess = () => {
          resolve(request.result ?? undefined);
        };
        request.onerror = () => {
          reject(request.error ?? new Error('the device did not read it'));
        };
      }),
  );
  return (await Promise.all(found)) as { [At in keyof Kept]: Kept[At] | undefined };
}

/** All that is kept under names that begin so. */
export async function readFrom<T>(prefix: string): Promise<T[]> {
  const table = (await database()).transaction(TABLE, 'readonly').objectStore(TABLE);
  return new Promise((resolve, reject) => {
    const request: IDBRequest<T[]> = table.getAll(beginning(prefix));
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(request.error ?? new Error('the device did not read it'));
    };
  });
}

export async function write(name: string, value: unknown): Promise<void> {
  await change((table) => table.put(value, name));
}

/** Forget everything whose name begins so. */
export async function forget(prefix: string): Promise<void> {
  await change((table) => table.delete(beginning(prefix)));
}

function beginning(prefix: string): IDBKeyRange {
  return IDBKeyRange.bound(prefix, `${prefix}\uffff`);
}
