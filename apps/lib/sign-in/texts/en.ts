/** What the apps say in English: signing in, and what it asks for. */
export const en = {
  'sign.title': 'Sign in',
  'sign.lead.person': 'With the passkey of your wallet.',
  'sign.lead.merchant': 'With the passkey that you made when the shop invited you.',
  'sign.lead.operator': 'With the passkey that you made when you were invited.',
  'sign.passkey': 'Sign in with a passkey',
  'sign.again': 'Sign in again',
  'sign.again.lead': 'You were signed out. Sign in, and go on where you were.',
  'sign.lost.title': 'No passkey on this device?',
  'sign.lost.staff':
    'Your phone can lend its own: choose it when the browser asks. If it is lost, let an owner invite you again.',
  'sign.cannot.localhost': 'On this machine passkeys work under the name localhost only.',
  'sign.cannot.localhost.go': 'Open this page there',
  'sign.cannot.digits':
    'Passkeys need a name in the address, and this page was opened at a number. Open it by its name.',
  'sign.cannot.insecure':
    'Passkeys need https, and this page was opened without. Open it over https.',
  'sign.cannot.browser': 'This browser knows no passkeys. Open the page in a newer one.',
  'sign.sandbox': 'Money is play money here: come in as',
  'sign.sandbox.none': 'Nobody of the staff is there yet.',
  'sign.away': 'No answer',
  'sign.away.lead': 'It is not known whether you are signed in. Check the network.',
  'sign.away.again': 'Try again',
  'sign.out': 'Sign out',
  'sign.other.person': 'That is the passkey of a wallet, {name}. Choose the one for here.',
  'sign.other.merchant': 'That is the passkey of a shop’s staff, {name}. Choose the one for here.',
  'sign.other.operator':
    'That is the passkey of the operator’s staff, {name}. Choose the one for here.',
  'sign.not.cancelled': 'No passkey was used. Try again when you are ready.',
  'sign.not.known': 'This device has a passkey for this already. Sign in with it.',
  'sign.not.missing':
    'This device cannot make such a passkey. Set up a screen lock, or use another device.',
  'sign.not.failed': 'The browser could not use a passkey. Try again.',
  'sign.refused.suspect':
    'This passkey may have been copied, and signs nobody in any more. Use another one, and remove it.',
  'sign.refused.unknown': 'This passkey is not known here, or was removed. Choose another one.',
  'sign.refused.unverified':
    'The device did not check that it is you. Use a finger, your face or the PIN.',
  'sign.refused.domain': 'This passkey was made for another address. Open the page there.',
  'role.cashier': 'Cashier',
  'role.manager': 'Manager',
  'role.owner': 'Owner',
  'role.support': 'Support',
  'role.treasurer': 'Treasurer',
  'problem.session_over': 'You are signed out. Nothing was done; sign in and try again.',
  'problem.origin_refused': 'Nothing was done: this page is not at the address that Tandem knows.',
  'problem.passkey_refused': 'The passkey’s answer came too late or does not hold. Try again.',
  'problem.sign_in_code_refused':
    'This handle and this code do not go together. Look at both; a code works once.',
  'problem.sign_in_paused': 'Too many wrong codes. Wait fifteen minutes; passkeys work meanwhile.',
  'problem.sign_in_needed': 'Sign in with a passkey for this.',
  'problem.sign_in_stale': 'Nothing was changed: confirm with your passkey first.',
  'problem.last_passkey': 'This is your last passkey. Add another one first.',
  'problem.no_passkey': 'You have no passkey yet. Add one first.',
  'problem.too_many_passkeys': 'You have {most} passkeys, which is the most. Remove one first.',
} as const satisfies Record<string, string>;
