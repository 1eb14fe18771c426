/** Sessions that ask nobody: each stays in the state in which it is shown. */
import { Session, type State, type Who } from '../lib/sign-in/session.svelte.ts';

export class Still extends Session {
  constructor(state: State) {
    super('merchant');
    this.state = state;
  }

  override start(): Promise<void> {
    return Promise.resolve();
  }
}

/** A cashier of this name. */
export function whoIs(name: string): Who {
  const session = { id: 'ses_01', name: 'Chrome', client: '::1', device_id: null, current: true };
  const times = { created_at: '', last_used_at: '', expires_at: '' };
  return {
    ...{ kind: 'merchant', id: 'stf_01', name, handle: null, employer_id: 'mer_01' },
    ...{ role: 'cashier', refund_limit: 20_000, refund_day_limit: 100_000, scopes: [] },
    session: { ...session, ...times },
  };
}
