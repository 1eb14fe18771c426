/**
 * A receipt: what moved, between whom, when, under which number. It says what the person sees and
 * no more of the other side. One form for the page, the picture, the paper and the text.
 */
import { t, tag, type Key } from '../lib/i18n/index.ts';
import { money } from '../lib/money.ts';
import { whyOf } from './why.ts';
import type { Line, Payment } from './wallet.svelte.ts';

export interface ReceiptRow {
  label: string;
  value: string;
}

export interface Receipt {
  /** what it is: `Payment`, `Refund` */
  title: string;
  amount: string;
  /** the other side's name: theirs, whichever way it runs */
  who: string | null;
  message: string | null;
  rows: ReceiptRow[];
  /** what names it in a file */
  id: string;
}

function moment(text: string): string {
  return new Intl.DateTimeFormat(tag(), { dateStyle: 'long', timeStyle: 'medium' }).format(
    new Date(text),
  );
}

/** The receipt of a payment, as its payer sees it. */
export function ofPayment(payment: Payment): Receipt {
  const { currency } = payment;
  const rows: ReceiptRow[] = [
    { label: t('payment.state'), value: t(`status.${payment.status}` as Key) },
  ];
  if (payment.decline_reason !== null) {
    rows.push({ label: t('payment.why'), value: t(whyOf(payment.decline_reason)) });
  }
  if (payment.captured > 0 && payment.captured !== payment.amount) {
    rows.push({ label: t('outcome.paid'), value: money(payment.captured, currency, tag()) });
  }
  if (payment.refunded > 0) {
    rows.push({ label: t('payment.refunded'), value: money(payment.refunded, currency, tag()) });
  }
  if (payment.merchant !== payment.shop) {
    rows.push({ label: t('receipt.merchant'), value: payment.merchant });
  }
  rows.push(
    { label: t('payment.when'), value: moment(payment.created_at) },
    { label: t('payment.number'), value: payment.id },
  );
  return {
    title: t('payment.title'),
    amount: money(payment.amount, currency, tag()),
    who: payment.shop,
    message: payment.description,
    rows,
    id: payment.id,
  };
}

/** The receipt of a movement: a send, a refund, a top-up. */
export function ofLine(line: Line): Receipt {
  const out = line.change < 0;
  const rows: ReceiptRow[] = [];
  if (line.type === 'send') {
    rows.push({
      label: t('receipt.direction'),
      value: t(out ? 'receipt.sent' : 'receipt.received'),
    });
  }
  rows.push({ label: t('payment.when'), value: moment(line.created_at) });
  if (line.object_id !== null) rows.push({ label: t('payment.number'), value: line.object_id });
  return {
    title: t(`line.${line.type}` as Key),
    amount: money(line.change === 0 ? line.reserved : line.change, line.currency, tag(), 'always'),
    who: line.with_name,
    message: line.message,
    rows,
    id: `${line.object_id ?? line.type}-${line.number}`,
  };
}

/**
 * The receipt as text. What others wrote is set apart by Unicode's isolates (UAX 9), so that a name
 * that runs the other way changes nothing around it.
 */
export function asText(receipt: Receipt): string {
  const apart = (text: string): string => `\u2068${text}\u2069`;
  return [
    `${t('app.name')} · ${receipt.title}`,
    receipt.amount,
    ...(receipt.who === null ? [] : [apart(receipt.who)]),
    ...(receipt.message === null ? [] : [apart(receipt.message)]),
    ...receipt.rows.map((row) => `${row.label}: ${apart(row.value)}`),
  ].join('\n');
}

/** A name for its file, of letters that every system takes. */
export function fileName(receipt: Receipt, ending: string): string {
  return `tandem-${receipt.id.replace(/[^A-Za-z0-9_-]/g, '')}.${ending}`;
}
