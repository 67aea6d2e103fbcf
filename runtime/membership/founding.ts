/**
 * The founding of a federation: the first entry of its membership log, signed with the hub's first key, proven by its recovery key. It
 * is made once, away from the running hub, so that the recovery key never comes near it.
 */
import { readFile } from 'node:fs/promises'
import { algorithmRow, SIGNING_ALGORITHM } from '../../schemas/algorithms.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { applyEntry } from '../../schemas/membership/application.ts'
import { type MembershipEntry, openEntry, sealEntry } from '../../schemas/membership/entries.ts'
import { namedJwk, provePossession } from '../../schemas/membership/keys.ts'
import { emptyState, type Policy } from '../../schemas/membership/state.ts'
import { createKeyFile, signerOf } from '../keys/key-file.ts'
import { writeOnce } from '../keys/owner-only-file.ts'

/** Edition of the dated table of regions that this version carries. */
export const TERRITORY_EDITION = '2026'

export type Founding = { readonly fed: string; readonly anchor: string; readonly token: string; readonly entry: MembershipEntry }

/** @throws KEY_FILE_INVALID where one of the files exists */
export async function foundFederation(options: {
  readonly fed: string
  readonly base: string
  readonly approvals: 1 | 2
  readonly keyFile: string
  readonly recoveryFile: string
  readonly recoveryPassphrase: string | null
  readonly foundingFile: string
  readonly now: Date
}): Promise<Founding> {
  const { fed, now } = options
  const key = await createKeyFile(options.keyFile)
  const recovery = await createKeyFile(options.recoveryFile, { passphrase: options.recoveryPassphrase })
  const policy: Policy = {
    algorithms: [SIGNING_ALGORITHM, 'SM2'].filter(alg => algorithmRow(alg) !== undefined),
    approvals: options.approvals,
  }
  const proof = await provePossession(signerOf(recovery), { fed, owner: 'hub', n: 0, now })
  const token = await sealEntry(
    {
      act: 'found',
      keys: [namedJwk(key.publicJwk)],
      recovery: namedJwk(recovery.publicJwk),
      proofs: [proof],
      policy: { algorithms: [...policy.algorithms], approvals: policy.approvals },
      base: options.base,
      territory: TERRITORY_EDITION,
    },
    { fed, seq: 1, head: null, signer: signerOf(key), now },
  )
  await writeOnce(options.foundingFile, `${token}\n`)
  return readFounding(options.foundingFile)
}

/** @throws CONFIG_INVALID, TOKEN_*, KEY_* */
export async function readFounding(path: string): Promise<Founding> {
  const text = await readFile(path, 'utf8').catch(cause => {
    throw new ExchangeError('CONFIG_INVALID', `${path}: expected a readable file`, { cause })
  })
  const token = text.trim()
  const entry = openEntry(token, null)
  const { fed } = entry.claims
  await applyEntry(emptyState({ fed, anchor: entry.kid }), entry)
  return { fed, anchor: entry.kid, token, entry }
}
