/**
 * The signing keys that a program holds, in one folder of key files, in one file, or in a signing agent. Which of them signs follows from the membership: the
 * newest that is active there. Asked in the same breath as the membership position, so that what is sealed names a position at which
 * its key was active.
 */

import { SIGNING_ALGORITHM } from '../../schemas/algorithms.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { type KeyJwk, namedJwk } from '../../schemas/membership/keys.ts'
import type { MemberKey } from '../../schemas/membership.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { openAgentLink } from '../keys/agent-signer.ts'
import { type KeyFile, signerOf } from '../keys/key-file.ts'
import { openKeyFolder } from '../keys/key-folder.ts'

export type HeldKey = { readonly jwk: KeyJwk; readonly signer: Signer }
export type Keyring = {
  /** The newest active one of a signer's keys. @throws KEY_UNKNOWN if none of them is held here */
  active(keys: readonly MemberKey[]): Signer
  named(kid: string): HeldKey | null
  all(): readonly HeldKey[]
  /** A new key, in a new file or inside the agent. @throws KEY_FILE_INVALID, SIGNER_UNAVAILABLE */
  create(alg?: string): Promise<HeldKey>
}

const held = (key: KeyFile): HeldKey => ({ jwk: namedJwk(key.publicJwk), signer: signerOf(key) })

/** @throws KEY_FILE_INVALID, SIGNER_UNAVAILABLE */
export async function openKeyring(options: {
  /** where key files are kept and made; a name ends in `.jwk.json` */
  readonly folder: string
  /** one more file, wherever it is */
  readonly file?: string | undefined
  /** the socket of a signing agent: its keys count beside those of the files, and new ones are made there */
  readonly agentSocket?: string | undefined
  readonly passphrase: string | null
}): Promise<Keyring> {
  const { folder, file, agentSocket, passphrase } = options
  const files = await openKeyFolder({ folder, files: file === undefined ? [] : [file], passphrase })
  const keys = new Map(files.keys.map(key => [key.kid, held(key)]))
  const add = (key: HeldKey): HeldKey => {
    keys.set(key.jwk.kid, key)
    return key
  }
  const agent = agentSocket === undefined ? null : openAgentLink(agentSocket)
  if (agent !== null) for (const key of await agent.keys()) add({ jwk: namedJwk(key.jwk), signer: agent.signer(key) })
  return {
    active(registered) {
      const newest = registered
        .filter(({ kid, since, closings }) => since !== null && closings === null && keys.has(kid))
        .reduce<MemberKey | null>((best, key) => (best === null || (key.since ?? 0) >= (best.since ?? 0) ? key : best), null)
      const key = newest === null ? undefined : keys.get(newest.kid)
      if (key === undefined)
        throw new ExchangeError('KEY_UNKNOWN', `expected a key file of an active key in ${folder}, there is none`)
      return key.signer
    },
    named: kid => keys.get(kid) ?? null,
    all: () => [...keys.values()],
    async create(alg = SIGNING_ALGORITHM) {
      if (agent !== null) {
        const key = await agent.create(alg)
        return add({ jwk: namedJwk(key.jwk), signer: agent.signer(key) })
      }
      const made = await files.make?.(alg)
      if (made === undefined) throw new ExchangeError('KEY_FILE_INVALID', `${folder}: expected a folder in which keys are made`)
      return add(held(made))
    },
  }
}

/** For statements that name no membership position: whichever key is active when one is signed. */
export const followingSigner = (active: () => Signer): Signer => ({
  get kid() {
    return active().kid
  },
  get digest() {
    return active().digest
  },
  sign: (kind, claims) => active().sign(kind, claims),
})
