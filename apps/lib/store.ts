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

async function run<T>(
  mode: IDBTransactionMode,
  work: (table: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const transaction = (await database()).transaction(TABLE, mode, { durability: 'strict' });
  const request = work(transaction.objectStore(TABLE));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => {
      resolve(request.result);
    };
    transaction.onerror = transaction.onabort = () => {
      reject(transaction.error ?? new Error('the device did not keep it'));
    };
  });
}

/** What is kept under a name, or undefined. */
export async function read<T>(name: string): Promise<T | undefined> {
  return (
    (await run('readonly', (table) => table.get(name) as IDBRequest<T | undefined>)) ?? undefined
  );
}

export async function write(name: string, value: unknown): Promise<void> {
  await run('readwrite', (table) => table.put(value, name));
}

/** Forget everything whose name begins so. */
export async function forget(prefix: string): Promise<void> {
  await run('readwrite', (table) => table.delete(IDBKeyRange.bound(prefix, `${prefix}\uffff`)));
}
