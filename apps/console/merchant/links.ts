/** Payment links and invoices: their states and amounts in words. */
import type { Schemas } from '../../lib/api/client.ts';
import { t, tag } from '../../lib/i18n/index.ts';
import { decimalText, minorOf, money } from '../../lib/money.ts';
import type { Tone } from './states.ts';

export type Link = Schemas['LinkView'];
export type Invoice = Schemas['InvoiceView'];
export type Line = Schemas['Line'];

const CLOSED = { off: 'links.off', over: 'links.over', used_up: 'links.used' } as const;
const INVOICES = {
  draft: 'invoices.draft',
  open: 'invoices.open',
  overdue: 'invoices.overdue',
  paid: 'invoices.paid',
  void: 'invoices.void',
} as const;
type InvoiceState = Invoice['status'];
export const INVOICE_STATES = Object.keys(INVOICES) as InvoiceState[];

export function linkText(link: Link): string {
  return t(link.closed === null ? 'links.on' : CLOSED[link.closed]);
}

export function linkTone(link: Link): Tone {
  return link.closed === null ? 'good' : 'plain';
}

/** What a link costs: an amount, or what the person may type. */
export function costs({ amount, min_amount: least, max_amount: most, currency }: Link): string {
  const show = (minor: number): string => money(minor, currency, tag());
  if (amount !== null) return show(amount);
  if (least !== null && most !== null)
    return t('links.between', { least: show(least), most: show(most) });
  if (least !== null) return t('links.least', { least: show(least) });
  return most === null ? t('links.any') : t('links.most', { most: show(most) });
}

export function invoiceText(status: InvoiceState): string {
  return t(INVOICES[status]);
}

export function invoiceTone(status: InvoiceState): Tone {
  const tones = {
    draft: 'plain',
    open: 'wait',
    overdue: 'bad',
    paid: 'good',
    void: 'plain',
  } as const;
  return tones[status];
}

/** What a line comes to: so many of it, and the tax on top. */
export function lineTotal(line: Line): number {
  return (line.quantity ?? 1) * line.unit_amount + (line.tax ?? 0);
}

/** A line as it is typed. */
interface TypedLine {
  name: string;
  quantity: string;
  unit: string;
  tax: string;
}

export const NO_LINE: TypedLine = { name: '', quantity: '1', unit: '', tax: '' };

export function typedLine(line: Line, currency: string): TypedLine {
  const tax = line.tax ?? 0;
  return {
    name: line.name,
    quantity: String(line.quantity ?? 1),
    unit: decimalText(line.unit_amount, currency),
    tax: tax === 0 ? '' : decimalText(tax, currency),
  };
}

/** The line that was typed; null while it is none. A discount has a minus before its price. */
export function readLine(typed: TypedLine, currency: string): Line | null {
  const text = typed.unit.trim().replace(/^\u2212/, '-');
  const size = minorOf(text.replace(/^-/, ''), currency);
  const tax = typed.tax.trim() === '' ? 0 : minorOf(typed.tax, currency);
  const quantity = /^[1-9][0-9]{0,5}$/.test(typed.quantity.trim()) ? Number(typed.quantity) : null;
  if (typed.name.trim() === '' || size === null || tax === null || quantity === null) return null;
  return {
    name: typed.name.trim(),
    unit_amount: text.startsWith('-') ? -size : size,
    quantity,
    tax,
  };
}
