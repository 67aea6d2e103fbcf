/** A change that this member signs about itself, noted as its own before it leaves. */
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import type { HeldKey, Keyring } from '../../runtime/membership/keyring.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { sealKeys } from '../../schemas/membership/consents.ts'
import type { KeyChange, KeyRing, WireClosing } from '../../schemas/membership/keys.ts'
import type { OwnStatements } from './own-statements.ts'

export type OwnChange = Omit<KeyChange, 'n' | 'proofs'> & { readonly leave?: readonly WireClosing[] }
export type ChangeSigner = {
  /** @throws MEMBER_UNKNOWN */
  ring(): KeyRing
  /** `entering` hold the keys that the change brings */
  sign(change: OwnChange, entering?: readonly HeldKey[]): Promise<string>
}

export function createChangeSigner(options: {
  readonly own: string
  readonly keeper: MembershipKeeper
  readonly keyring: Keyring
  readonly statements: OwnStatements
  readonly clock: () => Date
}): ChangeSigner {
  const { own, keeper, keyring } = options
  function ring(): KeyRing {
    const member = keeper.state().members.get(own)
    if (member === undefined) throw new ExchangeError('MEMBER_UNKNOWN', `${own}: expected to be a member`)
    return member.ring
  }
  return {
    ring,
    async sign(change, entering = []) {
      const signer = keyring.active(keeper.membership().members.get(own)?.keys ?? [])
      const token = await sealKeys(
        { ...change, fed: keeper.state().fed, code: own, n: ring().counter + 1 },
        { signer, others: entering.map(one => one.signer), now: options.clock() },
      )
      await options.statements.note('keys', token)
      return token
    },
  }
}
