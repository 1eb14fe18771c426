/** What the apps say in English: the console of a merchant's staff. */
export const en = {
  'merchant.payments': 'Payments',
  'payments.when': 'When',
  'payments.status': 'State',
  'payments.payer': 'Paid by',
  'payments.reference': 'Your reference',
  'payments.amount': 'Amount',
  'payment.one': 'Payment',
  'payments.none': 'No payments here',
  'payments.none.lead': 'What your shops take is listed here. If you filtered, remove a filter.',
} as const satisfies Record<string, string>;
