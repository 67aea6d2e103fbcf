/**
 * A federation in memory, for tests and vectors: a hub and members whose keys follow from their names, so that the same steps give
 * the same bytes everywhere. The log is kept as tokens; nothing of the rules is repeated here.
 */
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import { algorithmOfKey, type PrivateJwk } from '../algorithms.ts'
import type { LogHead, LogId } from '../log.ts'
import { createSigner, type Signer } from '../tokens.ts'
import { applyEntry } from './application.ts'
import { sealAllianceConsent, sealJoin, sealKeys } from './consents.ts'
import { type ActOf, type MembershipAct, sealEntry } from './entries.ts'
import { type KeyChange, type KeyJwk, namedJwk, provePossession, type WireClosing } from './keys.ts'
import { emptyState, type MembershipState, type Outcome } from './state.ts'

const PKCS8 = { Ed25519: '302e020100300506032b657004220420', X25519: '302e020100300506032b656e04220420' } as const

const okp = (crv: keyof typeof PKCS8, name: string): PrivateJwk => {
  const seed = createHash('sha256').update(`${crv} ${name}`).digest()
  const key = createPrivateKey({ key: Buffer.concat([Buffer.from(PKCS8[crv], 'hex'), seed]), format: 'der', type: 'pkcs8' })
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
  return { kty: 'OKP', crv, x, d: seed.toString('base64url') }
}

export type NamedKey = { readonly jwk: KeyJwk; readonly signer: Signer }

/** A signing key that follows from its name. */
export async function keyNamed(name: string): Promise<NamedKey> {
  const secret = okp('Ed25519', name)
  const jwk = namedJwk(secret)
  const row = algorithmOfKey(secret)
  return { jwk, signer: createSigner(jwk.kid, row.alg, await row.importPrivate(secret)) }
}
export const encKeyNamed = (name: string): KeyJwk => namedJwk(okp('X25519', name))

export const FED = 'sample-1'
export const NOW = new Date('2026-03-01T00:00:00Z')
const TICKET = (code: string, name: string): string => `ticket-of-${code}-${name}`

export const closingAt = (dataset: string, audience: string, epoch: number, seq: number, text = 'entry'): WireClosing => ({
  ds: dataset,
  aud: audience,
  ep: epoch,
  seq,
  dig: `sha-256:${createHash('sha256').update(`${text} ${epoch}.${seq}`).digest('base64url')}`,
})
export const headAt = (closing: WireClosing): LogHead => ({ epoch: closing.ep, seq: closing.seq, digest: closing.dig })
export const logAt = (origin: string, { ds, aud }: WireClosing): LogId => ({ origin, dataset: ds, audience: aud })

export type Consented = { readonly code: string; readonly id: string; readonly members: readonly string[]; readonly past?: boolean }

export class SampleFederation {
  state: MembershipState
  readonly fed: string
  readonly anchor: NamedKey
  readonly recovery: NamedKey

  private constructor(fed: string, anchor: NamedKey, recovery: NamedKey) {
    this.fed = fed
    this.anchor = anchor
    this.recovery = recovery
    this.state = emptyState({ fed, anchor: anchor.jwk.kid })
  }

  static async found(fed = FED, policy: ActOf<'found'>['policy'] = { algorithms: ['Ed25519', 'SM2'], approvals: 2 }) {
    const made = new SampleFederation(fed, await keyNamed('hub'), await keyNamed('hub recovery'))
    const proofs = [await provePossession(made.recovery.signer, { fed, owner: 'hub', n: 0, now: NOW })]
    await made.enter({
      act: 'found',
      keys: [made.anchor.jwk],
      recovery: made.recovery.jwk,
      proofs,
      policy,
      base: 'https://hub.example',
      territory: '2026',
    })
    return made
  }

  /** Signed by the hub for the next position, whether or not the rules accept it. */
  seal(act: MembershipAct, { by = this.anchor, seq = this.state.position + 1, now = NOW, fed = this.fed } = {}): Promise<string> {
    return sealEntry(act, { fed, seq, head: this.state.tokens[seq - 2] ?? null, signer: by.signer, now })
  }

  async enter(act: MembershipAct, options: Parameters<SampleFederation['seal']>[1] = {}): Promise<Outcome> {
    const outcome = await applyEntry(this.state, await this.seal(act, options))
    this.state = outcome.state
    return outcome
  }

  /** `name` tells the keys of one member apart from its keys after a second request. */
  async join(code: string, { name = 'first', anchor = this.anchor.jwk.kid, fed = this.fed } = {}): Promise<string> {
    const key = await keyNamed(`${code} ${name}`)
    const recovery = await keyNamed(`${code} ${name} recovery`)
    return sealJoin(
      {
        fed,
        code,
        anchor,
        ticket: TICKET(code, name),
        keys: [key.jwk],
        enc: encKeyNamed(`${code} ${name}`),
        recovery: recovery.jwk,
        nkey: `U${'A'.repeat(55)}`,
      },
      { signer: key.signer, others: [recovery.signer], now: NOW },
    )
  }

  admission(code: string, join: string, change: Partial<ActOf<'admit'>> = {}): ActOf<'admit'> {
    return {
      act: 'admit',
      code,
      kind: 'province',
      zh: '某省',
      en: 'Some province',
      writes: ['entity', 'trade'],
      territory: [code],
      join,
      ...change,
    }
  }

  async admit(code: string, change: Partial<ActOf<'admit'>> = {}): Promise<Outcome> {
    return this.enter(this.admission(code, await this.join(code), change))
  }

  async change(
    code: string,
    change: Omit<KeyChange, 'proofs' | 'n'> & { readonly n?: number; readonly leave?: readonly WireClosing[] },
    { by = `${code} first`, entering = [] as readonly string[], fed = this.fed } = {},
  ): Promise<string> {
    const n = change.n ?? (this.state.members.get(code)?.ring.counter ?? 0) + 1
    const others = await Promise.all(entering.map(async name => (await keyNamed(name)).signer))
    return sealKeys({ ...change, fed, code, n }, { signer: (await keyNamed(by)).signer, others, now: NOW })
  }

  async consent({ code, id, members, past = false }: Consented, n = 1, by = `${code} first`): Promise<string> {
    return sealAllianceConsent({ fed: this.fed, code, id, members, past, n }, { signer: (await keyNamed(by)).signer, now: NOW })
  }
}
