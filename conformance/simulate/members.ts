/** Members, keys and signers of the simulated federation: the same in every run, so that a seed means the same bytes everywhere. */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { SIGNING_ALGORITHM } from '../../schemas/algorithms.ts'
import { type Membership, parseMembership } from '../../schemas/membership.ts'
import { type Signer, TOKEN_TYPES } from '../../schemas/tokens.ts'

export const FED = 'simulation'
export const PROVINCES = ['530000', '520000', '320000', '440000'] as const
export const NATIONAL = '000000'
export const HUB = 'hub'
/** joins in the middle of some worlds, and writes nothing */
export const NEWCOMER = '610000'
/** behind an air gap */
export const GAPPED = '620000'

/** PKCS #8 frame of a raw Ed25519 private key (RFC 8410 §7) */
const FRAME = Buffer.from('302e020100300506032b657004220420', 'hex')

/**
 * A signer that does not leave the thread, since thousands of worlds sign a few hundred times each; what it makes is the same bytes
 * (Ed25519 is deterministic, RFC 8032 §5.1) and is verified by the product's own road.
 */
function keyOf(name: string): { signer: Signer; kid: string; x: string } {
  const raw = createHash('sha256').update(`hutong-simulation/${name}`).digest()
  const key = createPrivateKey({ key: Buffer.concat([FRAME, raw]), format: 'der', type: 'pkcs8' })
  const kid = `key-${name}`
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signer: Signer = {
    kid,
    digest: 'sha-256',
    async sign(kind, claims) {
      const input = `${part({ alg: SIGNING_ALGORITHM, typ: TOKEN_TYPES[kind], kid })}.${part(claims)}`
      return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`
    },
  }
  return { signer, kid, x: String(createPublicKey(key).export({ format: 'jwk' }).x) }
}

export type Members = { readonly membership: Membership; readonly signers: ReadonlyMap<string, Signer> }

export async function createMembers(): Promise<Members> {
  const codes = [...PROVINCES, NATIONAL, NEWCOMER, GAPPED]
  const keys = new Map([HUB, ...codes].map(code => [code, keyOf(code)] as const))
  const file = (code: string): { kid: string; x: string }[] => {
    const key = keys.get(code)
    return key === undefined ? [] : [{ kid: key.kid, x: key.x }]
  }
  const membership = await parseMembership(
    JSON.stringify({
      fed: FED,
      position: 1,
      hub: { keys: file(HUB) },
      members: codes.map(code => ({
        code,
        kind: code === NATIONAL ? 'national' : 'province',
        zh: code,
        en: code,
        writes: (PROVINCES as readonly string[]).includes(code) ? ['entity', 'expert'] : [],
        keys: file(code),
      })),
    }),
  )
  return { membership, signers: new Map([...keys].map(([code, { signer }]) => [code, signer])) }
}

export function signerOf(members: Members, code: string): Signer {
  const signer = members.signers.get(code)
  if (signer === undefined) throw new Error(`no signer ${code}`)
  return signer
}
