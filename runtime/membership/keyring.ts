/**
 * The signing keys that a program holds, in one folder of key files, in one file, or in a signing agent. Which of them signs follows from the membership: the
 * newest that is active there. Asked in the same breath as the membership position, so that what is sealed names a position at which
 * its key was active.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { type KeyJwk, namedJwk } from '../../schemas/membership/keys.ts'
import type { MemberKey } from '../../schemas/membership.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { connectAgent } from '../keys/agent-signer.ts'
import { createKeyFile, type KeyFile, readKeyFile, signerOf } from '../keys/key-file.ts'

export type HeldKey = { readonly jwk: KeyJwk; readonly signer: Signer }
export type Keyring = {
  /** The newest active one of a signer's keys. @throws KEY_UNKNOWN if none of them is held here */
  active(keys: readonly MemberKey[]): Signer
  named(kid: string): HeldKey | null
  all(): readonly HeldKey[]
  /** Takes up those of the keys that a signing agent holds. @throws SIGNER_UNAVAILABLE */
  adopt(agentSocket: string, kids: readonly string[]): Promise<void>
  /** A new key in a new file. @throws KEY_FILE_INVALID */
  create(alg?: string): Promise<HeldKey>
}

const SUFFIX = '.jwk.json'

const held = (key: KeyFile): HeldKey => ({ jwk: namedJwk(key.publicJwk), signer: signerOf(key) })

/** @throws KEY_FILE_INVALID */
export async function openKeyring(options: {
  /** where key files are kept and made; a name ends in `.jwk.json` */
  readonly folder: string
  /** one more file, wherever it is */
  readonly file?: string | undefined
  readonly passphrase: string | null
}): Promise<Keyring> {
  const { folder, passphrase } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const names = (await readdir(folder)).filter(name => name.endsWith(SUFFIX)).sort()
  const paths = [...(options.file === undefined ? [] : [options.file]), ...names.map(name => join(folder, name))]
  const keys = new Map<string, HeldKey>()
  for (const path of paths) {
    const key = held(await readKeyFile(path, passphrase))
    keys.set(key.jwk.kid, key)
  }
  let made = names.length
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
    async adopt(agentSocket, kids) {
      for (const kid of kids.filter(one => !keys.has(one))) {
        const signer = await connectAgent(agentSocket, kid).catch((error: unknown) => {
          if (isExchangeError(error) && error.code === 'KEY_UNKNOWN') return null
          throw error
        })
        if (signer !== null) keys.set(kid, { jwk: namedJwk(signer.publicJwk), signer })
      }
    },
    async create(alg) {
      for (;;) {
        made += 1
        const path = join(folder, `signing-${made}${SUFFIX}`)
        if (names.includes(`signing-${made}${SUFFIX}`)) continue
        const key = held(await createKeyFile(path, { passphrase, ...(alg === undefined ? {} : { alg }) }))
        keys.set(key.jwk.kid, key)
        return key
      }
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
