/**
 * The number of a payment or a transfer as people read it to each other: the end of its id, which is
 * random. Wallet and till show the same, so that a customer and a cashier can compare.
 */
export function numberOf(id: string): string {
  return id.slice(-6).toUpperCase();
}
