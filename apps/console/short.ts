/** An id as short as people can still tell it apart. */
export function short(id: string): string {
  return id.length > 20 ? `${id.slice(0, id.indexOf('_') + 1)}…${id.slice(-6)}` : id;
}
