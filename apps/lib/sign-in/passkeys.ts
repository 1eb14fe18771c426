/**
 * What a browser does with passkeys (W3C WebAuthn Level 3): make one, and sign with one. The library
 * that speaks with the browser is loaded when it is needed.
 */
import type { Schemas } from '../api/client.ts';

export type Why = 'cancelled' | 'known' | 'missing' | 'failed';

/** The browser made or signed nothing. */
export class PasskeyError extends Error {
  readonly why: Why;

  constructor(why: Why, cause: unknown) {
    super(why, { cause });
    this.name = 'PasskeyError';
    this.why = why;
  }
}

/** An address of digits (RFC 3986 §3.2.2): a passkey is made for a name. */
const DIGITS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[.*\])$/;
const OWN_MACHINE = new Set(['127.0.0.1', '[::1]']);

export type Ability = 'yes' | 'localhost' | 'digits' | 'insecure' | 'browser';

/**
 * Whether passkeys work on this page, or why not: this machine has them at its name `localhost` only,
 * an address of digits has none, nor a page that did not come by TLS, nor an old browser.
 */
export function passkeysHere(
  where: Pick<Location, 'hostname'> = location,
  secure: boolean = isSecureContext,
  browser: boolean = 'PublicKeyCredential' in globalThis,
): Ability {
  if (OWN_MACHINE.has(where.hostname)) return 'localhost';
  if (DIGITS.test(where.hostname)) return 'digits';
  if (!secure) return 'insecure';
  return browser ? 'yes' : 'browser';
}

/** This page at the name that passkeys have on this machine. */
export function atLocalhost(): string {
  const address = new URL(location.href);
  address.hostname = 'localhost';
  return address.href;
}

/** Make a passkey. Throws `PasskeyError`. */
export async function makePasskey(
  options: Schemas['CreationOptions'],
): Promise<Schemas['Attestation']> {
  const { startRegistration } = await library();
  const made = await startRegistration({
    optionsJSON: options as Parameters<typeof startRegistration>[0]['optionsJSON'],
  }).catch(told);
  const { clientDataJSON, attestationObject, transports } = made.response;
  return {
    ...{ id: made.id, rawId: made.rawId, type: made.type },
    response: { clientDataJSON, attestationObject, transports: transports ?? [] },
  };
}

/** Sign with a passkey. Throws `PasskeyError`. */
export async function usePasskey(
  options: Schemas['RequestOptions'],
): Promise<Schemas['Assertion']> {
  const { startAuthentication } = await library();
  const signed = await startAuthentication({
    optionsJSON: options as Parameters<typeof startAuthentication>[0]['optionsJSON'],
  }).catch(told);
  const { clientDataJSON, authenticatorData, signature, userHandle } = signed.response;
  return {
    ...{ id: signed.id, rawId: signed.rawId, type: signed.type },
    response: { clientDataJSON, authenticatorData, signature, userHandle: userHandle ?? null },
  };
}

/** A name for the passkey that is made here, by which its list tells it from others. */
export function browserName(agent: string = navigator.userAgent): string {
  const browser =
    [
      ['Edge', /Edg/],
      ['Firefox', /Firefox|FxiOS/],
      ['Chrome', /Chrome|CriOS/],
      ['Safari', /Safari/],
    ].find(([, sign]) => (sign as RegExp).test(agent))?.[0] ?? 'Browser';
  const system =
    [
      ['iPhone', /iPhone/],
      ['iPad', /iPad/],
      ['Android', /Android/],
      ['Windows', /Windows/],
      ['Mac', /Macintosh/],
      ['Linux', /Linux/],
    ].find(([, sign]) => (sign as RegExp).test(agent))?.[0] ?? '';
  return system === '' ? String(browser) : `${String(browser)}, ${String(system)}`;
}

async function library(): Promise<typeof import('@simplewebauthn/browser')> {
  try {
    return await import('@simplewebauthn/browser');
  } catch (error) {
    throw new PasskeyError('failed', error); // the network went away before it was needed
  }
}

/** The names of WebAuthn's errors (§5.1.3, §5.1.4). Cancelled and timed out are told as one. */
function told(error: unknown): never {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError' || name === 'AbortError')
    throw new PasskeyError('cancelled', error);
  if (name === 'InvalidStateError') throw new PasskeyError('known', error);
  if (name === 'NotSupportedError' || name === 'ConstraintError')
    throw new PasskeyError('missing', error);
  throw new PasskeyError('failed', error);
}
