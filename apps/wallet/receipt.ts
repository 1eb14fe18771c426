/**
 * A receipt: what moved, between whom, when, under which number. It says what the person sees and
 * no more of the other side. One form for the page, the picture, the paper and the text.
 */
import type { IconName } from '../lib/design/icons.ts';
import { t, tag, type Key } from '../lib/i18n/index.ts';
import { money, type Sign } from '../lib/money.ts';
import { numberOf } from '../lib/number.ts';
import { iconOf } from './icons.ts';
import { whyOf } from './why.ts';
import type { Line, Payment } from './wallet.svelte.ts';

export interface ReceiptRow {
  label: string;
  value: string;
  /** a number to read out and compare, or one that is too long for that: to be copied */
  is?: 'number' | 'long';
}

export interface Receipt {
  /** what it is: `Payment`, `Refund` */
  title: string;
  /** what stands in its disc; without one the other side's first letter */
  icon: IconName | undefined;
  /** the other side's name: theirs, whichever way it runs */
  who: string | null;
  /** the name under which the operator knows a shop's merchant */
  merchant: string | null;
  minor: number;
  currency: string;
  sign: Sign;
  message: string | null;
  rows: ReceiptRow[];
  /** what names it in a file */
  id: string;
}

function moment(text: string): string {
  return new Intl.DateTimeFormat(tag(), { dateStyle: 'medium', timeStyle: 'short' }).format(
    new Date(text),
  );
}

/** When it was, and its number: the short one that the till shows too, and all of it. */
function named(moved: { created_at: string }, id: string | null): ReceiptRow[] {
  const rows = [{ label: t('payment.when'), value: moment(moved.created_at) }];
  if (id === null) return rows;
  return [
    ...rows,
    { label: t('payment.number'), value: numberOf(id), is: 'number' },
    { label: t('receipt.number.full'), value: id, is: 'long' },
  ];
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
  return {
    title: t('payment.title'),
    icon: iconOf('payment'),
    who: payment.shop,
    merchant: payment.merchant,
    minor: payment.amount,
    currency,
    sign: 'auto',
    message: payment.description,
    rows: [...rows, ...named(payment, payment.id)],
    id: payment.id,
  };
}

/** The receipt of a movement: a send, a refund, a top-up. */
export function ofLine(line: Line): Receipt {
  const rows: ReceiptRow[] = [];
  if (line.type === 'send') {
    rows.push({
      label: t('receipt.direction'),
      value: t(line.change < 0 ? 'receipt.sent' : 'receipt.received'),
    });
  }
  return {
    title: t(`line.${line.type}` as Key),
    icon: iconOf(line.type),
    who: line.with_name,
    merchant: null,
    minor: line.change === 0 ? line.reserved : line.change,
    currency: line.currency,
    sign: 'always',
    message: line.message,
    rows: [...rows, ...named(line, line.object_id)],
    id: `${line.object_id ?? line.type}-${line.number}`,
  };
}

/** The names on it, each once: the shop's own, and its merchant's. */
export function namesOn({ who, merchant }: Receipt): string[] {
  return [...new Set([who, merchant])].filter((name) => name !== null);
}

/**
 * The receipt as text. What others wrote is set apart by Unicode's isolates (UAX 9), so that a name
 * that runs the other way changes nothing around it.
 */
export function asText(receipt: Receipt): string {
  const apart = (text: string): string => `\u2068${text}\u2069`;
  return [
    `${t('app.name')} · ${receipt.title}`,
    ...namesOn(receipt).map(apart),
    money(receipt.minor, receipt.currency, tag(), receipt.sign),
    ...(receipt.message === null ? [] : [apart(receipt.message)]),
    ...receipt.rows.map((row) => `${row.label}: ${apart(row.value)}`),
  ].join('\n');
}

/** A name for its file, of letters that every system takes. */
export function fileName(receipt: Receipt, ending: string): string {
  return `tandem-${receipt.id.replace(/[^A-Za-z0-9_-]/g, '')}.${ending}`;
}
