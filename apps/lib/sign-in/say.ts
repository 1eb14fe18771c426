/** What signing in says: why it did not work, and what a role is called. */
import { RefusedError, type Kind } from '../api/client.ts';
import { addTexts, t, type Key } from '../i18n/index.ts';
import { sentence } from '../problems.ts';
import { PasskeyError, type Ability, type Why } from './passkeys.ts';
import { OtherKindError } from './session.svelte.ts';
import { texts } from './texts/index.ts';

addTexts(texts);

const NOT: Record<Why, Key> = {
  cancelled: 'sign.not.cancelled',
  known: 'sign.not.known',
  missing: 'sign.not.missing',
  failed: 'sign.not.failed',
};
const REFUSED: Partial<Record<string, Key>> = {
  suspect: 'sign.refused.suspect',
  unknown: 'sign.refused.unknown',
  not_verified: 'sign.refused.unverified',
  domain: 'sign.refused.domain',
  origin: 'sign.refused.domain',
};
const OTHER: Record<Kind, Key> = {
  person: 'sign.other.person',
  merchant: 'sign.other.merchant',
  operator: 'sign.other.operator',
};
const ROLES: Partial<Record<string, Key>> = {
  cashier: 'role.cashier',
  manager: 'role.manager',
  owner: 'role.owner',
  support: 'role.support',
  treasurer: 'role.treasurer',
};
const CANNOT: Record<Exclude<Ability, 'yes'>, Key> = {
  localhost: 'sign.cannot.localhost',
  digits: 'sign.cannot.digits',
  insecure: 'sign.cannot.insecure',
  browser: 'sign.cannot.browser',
};

/** A sentence for whatever kept somebody from signing in. */
export function signInSentence(error: unknown): string {
  if (error instanceof PasskeyError) return t(NOT[error.why]);
  if (error instanceof OtherKindError) return t(OTHER[error.who.kind], { name: error.who.name });
  if (error instanceof RefusedError && error.problem.code === 'passkey_refused') {
    const key = REFUSED[String(error.problem.data['reason'])];
    if (key !== undefined) return t(key);
  }
  return sentence(error);
}

/** What a role is called; one that is new to the API by its own word. */
export function roleName(role: string | null): string {
  const key = ROLES[role ?? ''];
  return key === undefined ? (role ?? '') : t(key);
}

/** Why passkeys do not work on this page. */
export function cannotSentence(ability: Exclude<Ability, 'yes'>): string {
  return t(CANNOT[ability]);
}
