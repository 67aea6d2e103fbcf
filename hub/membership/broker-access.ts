/**
 * Who may connect to the broker, by what the membership log says: the newest key that a member named under its own signature, none of
 * those before. Tokens for a key are no secret, since only who holds its seed can use them; so a node whose token became void fetches the
 * next one over HTTP, when the broker does not let it in.
 */
import type { Authority } from '../../runtime/broker/authority.ts'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { memberIn } from '../../schemas/membership/registrations.ts'

export type BrokerAccess = {
  /** @throws MEMBER_UNKNOWN, MEMBER_SUSPENDED, KEY_UNKNOWN for another key than its newest, KEY_OUT_OF_RANGE for one that is revoked */
  tokenFor(code: string, key: string): Promise<string>
  /** Revokes the keys that members had before, and says so to the broker. */
  follow(): Promise<void>
  /** Whatever `hub` or a member had at the broker is void within a second. A node makes a new key by itself. @throws MEMBER_UNKNOWN */
  rotate(program: string): Promise<void>
}

export function createBrokerAccess(options: {
  readonly keeper: MembershipKeeper
  readonly authority: Authority
  readonly push: () => Promise<void>
  /** the hub's own connection, under new credentials */
  readonly renewOwn: () => Promise<void>
}): BrokerAccess {
  const { keeper, authority, push } = options

  async function follow(): Promise<void> {
    for (const { code, formerNkeys } of keeper.state().members.values())
      for (const key of formerNkeys) await authority.revoke(code, key)
    await push()
  }
  return {
    async tokenFor(code, key) {
      const { nkey, standing } = memberIn(keeper.state(), code)
      if (standing !== 'admitted') throw new ExchangeError('MEMBER_SUSPENDED', `${code}: it is ${standing}`)
      if (key !== nkey) throw new ExchangeError('KEY_UNKNOWN', `${code}: expected the newest key that it named for the broker`)
      return authority.admit(code, key)
    },
    follow,
    async rotate(program) {
      if (program === 'hub') {
        await authority.rotate(program)
        await options.renewOwn()
        return
      }
      await authority.revoke(program, memberIn(keeper.state(), program).nkey)
      await authority.rotate(program)
      await push()
    },
  }
}
