/**
 * Money as people read and type it. Amounts are whole minor units everywhere; what is shown is made
 * from their digits by Intl, which takes decimal text, so that no float comes near money.
 */

/** Minor digits of ISO 4217 where they are not 2. Intl goes by CLDR, which differs for some. */
const MINOR_DIGITS: Record<string, number> = {
  ...{ BIF: 0, CLP: 0, DJF: 0, GNF: 0, ISK: 0, JPY: 0, KMF: 0, KRW: 0, PYG: 0, RWF: 0 },
  ...{ UGX: 0, UYI: 0, VND: 0, VUV: 0, XAF: 0, XOF: 0, XPF: 0 },
  ...{ BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3, CLF: 4, UYW: 4 },
};

/** As many digits as an amount may have: what the API takes, 10^15, has 16. */
const MAX_DIGITS = 15;

export function minorDigits(currency: string): number {
  return MINOR_DIGITS[currency] ?? 2;
}

/** The amount as decimal text, `-38.00`, without a float. */
export function decimalText(minor: number, currency: string): `${number}` {
  const digits = minorDigits(currency);
  const text = Math.abs(minor)
    .toString()
    .padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  const point = digits === 0 ? '' : `.${text.slice(text.length - digits)}`;
  return `${minor < 0 ? '-' : ''}${whole}${point}` as `${number}`;
}

export type Sign = 'auto' | 'always' | 'never';

export interface MoneyPart {
  kind: 'sign' | 'currency' | 'whole' | 'decimals' | 'space';
  text: string;
}

const formats = new Map<string, Intl.NumberFormat>();

function formatOf(currency: string, language: string, sign: Sign): Intl.NumberFormat {
  const key = `${language} ${currency} ${sign}`;
  let format = formats.get(key);
  if (format === undefined) {
    const digits = minorDigits(currency);
    format = new Intl.NumberFormat(language, {
      style: 'currency',
      currency,
      currencyDisplay: 'narrowSymbol',
      signDisplay: sign === 'always' ? 'exceptZero' : sign,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    formats.set(key, format);
  }
  return format;
}

/** An amount in the parts that a page sets differently: the whole large, the rest small. */
export function moneyParts(
  minor: number,
  currency: string,
  language: string,
  sign: Sign = 'auto',
): MoneyPart[] {
  const parts: MoneyPart[] = [];
  for (const part of formatOf(currency, language, sign).formatToParts(
    decimalText(minor, currency),
  )) {
    const kind = KINDS[part.type] ?? 'space';
    const last = parts.at(-1);
    // A hyphen is no minus: the minus sign has the width of a digit.
    const text = kind === 'sign' ? part.value.replace('-', '\u2212') : part.value;
    if (last?.kind === kind) last.text += text;
    else parts.push({ kind, text });
  }
  return parts;
}

const KINDS: Record<string, MoneyPart['kind']> = {
  ...{ plusSign: 'sign', minusSign: 'sign', currency: 'currency' },
  ...{ integer: 'whole', group: 'whole', decimal: 'decimals', fraction: 'decimals' },
};

export function money(minor: number, currency: string, language: string, sign?: Sign): string {
  return moneyParts(minor, currency, language, sign)
    .map((part) => part.text)
    .join('');
}

/**
 * What was typed on an amount pad, as text such as `38.5`, and one more key. A key that would make
 * it no amount of the currency changes nothing.
 */
export function typed(text: string, key: string, currency: string): string {
  const digits = minorDigits(currency);
  if (key === 'back') return text.slice(0, -1);
  if (key === '.') return digits === 0 || text.includes('.') ? text : `${text || '0'}.`;
  if (key === '00') return typed(typed(text, '0', currency), '0', currency);
  if (!/^[0-9]$/.test(key)) return text;
  const next = text === '0' ? key : text + key;
  const [whole = '', decimals] = next.split('.');
  if (decimals !== undefined && decimals.length > digits) return text;
  return whole.length + digits > MAX_DIGITS ? text : next;
}

/** The minor units of what was typed; null if it is no amount of the currency. */
export function minorOf(text: string, currency: string): number | null {
  const digits = minorDigits(currency);
  const match = /^([0-9]{1,15})(?:[.,]([0-9]*))?$/.exec(text.trim());
  const decimals = match?.[2] ?? '';
  if (match?.[1] === undefined || decimals.length > digits) return null;
  const all = `${match[1]}${decimals.padEnd(digits, '0')}`.replace(/^0+(?=[0-9])/, '');
  return all.length > MAX_DIGITS ? null : Number(all);
}
