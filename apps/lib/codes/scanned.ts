/**
 * What a camera read: may it be a shop's code, which the server is asked about, a link to a page of
 * this installation, which is opened here, or is it something else, which stays on this phone? A
 * code can hold anything: the password of a network, the secret of another service's sign-in.
 */

/** No code holds a longer text (tandem.codes.scan). */
const LONGEST = 8192;
const PAY_CODE = /^28[0-9]{16}$/;
/** EMVCo's payloads begin with their format (EMV QRCPS, Merchant-Presented Mode, 4.3). */
const EMVCO = /^000201/;
const CODE_PATH = /\/[ct]\/[A-Za-z0-9_-]{16,32}$/;
/** The pages that links lead to, whole: a red packet's, a split's; an order's, a payment link's, an
    invoice's. No other page is opened by a code: one could ask to connect this phone. */
const PAGES = [
  /^\/wallet\/packet#[A-Za-z0-9_-]{22}$/,
  /^\/wallet\/(?:packets\/pkt|splits\/spl)_[0-9a-f]{32}$/,
  /^\/checkout\/[sli]\/[A-Za-z0-9_-]{20}$/,
];
/** The names of this machine itself: the same server, as long as the port is the same. */
const ITSELF = new Set(['127.0.0.1', 'localhost', '[::1]']);

export type Scanned =
  /** to be asked about; what it says of itself is for when it turns out to be another's */
  | { kind: 'shop'; text: string; claims: Claims | null }
  /** a page of ours, by its path */
  | { kind: 'page'; path: string }
  /** a code that a person shows to a till */
  | { kind: 'person' }
  /** nobody is asked about it, and nothing opens it; `page`: another installation may have it */
  | { kind: 'other'; text: string; host: string | null; page: boolean };

/** What a foreign code says of itself. Anybody may write anything there. */
export interface Claims {
  host: string | null;
  name: string;
  place: string;
}

/** What was read; `origin` is where the wallet itself is: `https://pay.example`. */
export function readScanned(read: string, origin: string): Scanned {
  const text = read.trim();
  if (text.length > LONGEST) return other(text.slice(0, LONGEST));
  if (PAY_CODE.test(text.replaceAll(' ', ''))) return { kind: 'person' };
  if (EMVCO.test(text)) {
    const fields = fieldsOf(text);
    const claims = { host: null, name: fields.get('59') ?? '', place: fields.get('60') ?? '' };
    return { kind: 'shop', text, claims };
  }
  const url = linkOf(text);
  if (url === null) return other(text);
  const path = url.pathname + url.search + url.hash;
  if (PAGES.some((page) => page.test(path))) {
    return isHere(url, new URL(origin)) ? { kind: 'page', path } : other(text, url.host, true);
  }
  if (CODE_PATH.test(url.pathname)) {
    return { kind: 'shop', text, claims: { host: url.host, name: '', place: '' } };
  }
  return other(text, url.host);
}

function other(text: string, host: string | null = null, page = false): Scanned {
  return { kind: 'other', text, host, page };
}

function isHere(url: URL, here: URL): boolean {
  if (ITSELF.has(url.hostname) && ITSELF.has(here.hostname)) return url.port === here.port;
  return url.origin === here.origin;
}

/** A link that the web has; its host is in the form that no letters of other scripts imitate. */
function linkOf(text: string): URL | null {
  try {
    const url = new URL(text);
    return /^https?:$/.test(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

/** The fields of an EMVCo payload: two digits of tag, two of length, the value. Stops at what is torn. */
function fieldsOf(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  const characters = [...text];
  for (let at = 0; at + 4 <= characters.length;) {
    const head = characters.slice(at, at + 4).join('');
    if (!/^[0-9]{4}$/.test(head)) break;
    const end = at + 4 + Number(head.slice(2));
    if (end > characters.length) break;
    fields.set(head.slice(0, 2), characters.slice(at + 4, end).join(''));
    at = end;
  }
  return fields;
}
