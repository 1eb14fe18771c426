/**
 * What a camera read: may it be a shop's code, which the server is asked about, or is it something
 * else, which stays on this phone? A code can hold anything: the password of a network, the secret
 * of another service's sign-in.
 */

/** No code holds a longer text (tandem.codes.scan). */
const LONGEST = 8192;
const PAY_CODE = /^28[0-9]{16}$/;
/** EMVCo's payloads begin with their format (EMV QRCPS, Merchant-Presented Mode, 4.3). */
const EMVCO = /^000201/;
const CODE_PATH = /\/[ct]\/[A-Za-z0-9_-]{16,32}$/;

export type Scanned =
  /** to be asked about; what it says of itself is for when it turns out to be another's */
  | { kind: 'shop'; text: string; claims: Claims | null }
  /** a code that a person shows to a till */
  | { kind: 'person' }
  /** nobody is asked about it, and nothing opens it */
  | { kind: 'other'; text: string; host: string | null };

/** What a foreign code says of itself. Anybody may write anything there. */
export interface Claims {
  host: string | null;
  name: string;
  place: string;
}

export function readScanned(read: string): Scanned {
  const text = read.trim();
  if (text.length > LONGEST) return { kind: 'other', text: text.slice(0, LONGEST), host: null };
  if (PAY_CODE.test(text.replaceAll(' ', ''))) return { kind: 'person' };
  if (EMVCO.test(text)) {
    const fields = fieldsOf(text);
    const claims = { host: null, name: fields.get('59') ?? '', place: fields.get('60') ?? '' };
    return { kind: 'shop', text, claims };
  }
  const url = linkOf(text);
  if (url === null) return { kind: 'other', text, host: null };
  if (CODE_PATH.test(url.pathname)) {
    return { kind: 'shop', text, claims: { host: url.host, name: '', place: '' } };
  }
  return { kind: 'other', text, host: url.host };
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
