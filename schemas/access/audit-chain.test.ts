import { generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { SIGNING_ALGORITHM } from '../algorithms.ts'
import { createSigner } from '../tokens.ts'
import {
  AUDIT_START,
  type AuditEntry,
  type AuditFacts,
  auditDigest,
  auditVerifier,
  chainAudit,
  openAuditHeads,
  sealAuditHead,
} from './audit-chain.ts'

const facts = (n: number): AuditFacts => ({
  at: new Date(1_790_000_000_000 + n).toISOString(),
  actor: `client-${n % 3}`,
  roles: 'centre-clerk',
  operation: 'record.read',
  resource: `credit/${n}`,
  decision: 'allow',
  purpose: null,
  deal: null,
  request: `r${n}`,
})
const CHAIN = chainAudit(
  Array.from({ length: 600 }, (_, n) => facts(n)),
  { seq: 0, digest: AUDIT_START },
)
const { privateKey, publicKey } = await generateKeyPair('Ed25519')
const context = {
  fed: 'test',
  origin: '530000',
  signer: createSigner('k', SIGNING_ALGORITHM, privateKey),
  now: new Date(1_790_000_001_000),
}
const keys = new Map([['k', { alg: 'Ed25519', key: publicKey }]])
const head = (seq: number, chain: readonly AuditEntry[] = CHAIN) =>
  sealAuditHead({ seq, digest: chain[seq - 1]?.digest ?? '' }, context)
const HEADS = await Promise.all([head(200), head(600)])

async function verify(entries: readonly AuditEntry[], tokens: readonly string[] = HEADS) {
  const { heads, findings } = await openAuditHeads(tokens, { fed: 'test', origin: '530000', keys })
  const verifier = auditVerifier(heads)
  for (const entry of entries) verifier.push(entry)
  const end = verifier.end()
  return { ...end, findings: [...findings, ...end.findings] }
}
const kinds = async (entries: readonly AuditEntry[], tokens?: readonly string[]) =>
  (await verify(entries, tokens)).findings.map(({ kind, seq }) => `${kind} ${seq}`)

const changed = (seq: number, change: Partial<AuditEntry>): AuditEntry[] =>
  CHAIN.map(entry => (entry.seq === seq ? { ...entry, ...change } : entry))

describe('the audit chain', () => {
  it('is whole as it was written', async () => {
    expect(await verify(CHAIN)).toEqual({ findings: [], entries: 600, last: 600, signedTo: 600 })
  })

  it.each<keyof AuditFacts>(['at', 'actor', 'roles', 'operation', 'resource', 'decision', 'purpose', 'deal', 'request'])(
    'names the entry whose %s was edited',
    async member => {
      expect(await kinds(changed(300, { [member]: 'x' }))).toEqual(['edited 300'])
    },
  )

  it('shows an edit whose digest was made to fit: at the entry behind it, and at the signed head', async () => {
    const entry = CHAIN[299] as AuditEntry
    const forged = { ...entry, actor: 'somebody' }
    expect(await kinds(changed(300, { ...forged, digest: auditDigest(forged, 300, forged.prev) }))).toEqual(['inserted 301'])
    const rest = chainAudit([{ ...facts(9), actor: 'somebody' }, ...CHAIN.slice(300)], {
      seq: 299,
      digest: CHAIN[298]?.digest ?? '',
    })
    expect(await kinds([...CHAIN.slice(0, 299), ...rest])).toEqual(['head 600'])
  })

  it('names the entries that were taken out, at the end too, as far as it was signed', async () => {
    expect(await kinds(CHAIN.filter(({ seq }) => seq !== 300))).toEqual(['missing 300'])
    expect(await kinds(CHAIN.slice(0, 550))).toEqual(['missing 551'])
    expect(await kinds(CHAIN.slice(5))).toEqual(['missing 1'])
    expect(await kinds([])).toEqual(['missing 1', 'missing 1'])
  })

  it('names the entry that was put in', async () => {
    const own = chainAudit([facts(7)], { seq: 300, digest: AUDIT_START })
    const pushed = [...CHAIN.slice(0, 300), ...own, ...CHAIN.slice(300).map(entry => ({ ...entry, seq: entry.seq + 1 }))]
    const found = (await verify(pushed)).findings
    expect(found.map(({ kind, seq }) => `${kind} ${seq}`)).toContain('inserted 301')
  })

  it('tells entries that changed places from edited ones', async () => {
    const swapped = CHAIN.map(entry => {
      const other = entry.seq === 10 ? 12 : entry.seq === 12 ? 10 : entry.seq
      return { ...(CHAIN[other - 1] as AuditEntry), seq: entry.seq }
    })
    expect((await verify(swapped)).findings.filter(({ kind }) => kind === 'moved').map(({ said }) => said)).toEqual([
      'entry 10 was written as entry 12',
      'entry 12 was written as entry 10',
    ])
  })

  it('accepts heads of this program only, under its keys', async () => {
    const other = await generateKeyPair('Ed25519')
    const foreign = { ...context, signer: createSigner('k', SIGNING_ALGORITHM, other.privateKey) }
    const last = { seq: 600, digest: CHAIN[599]?.digest ?? '' }
    const tokens = await Promise.all([
      sealAuditHead(last, foreign),
      sealAuditHead(last, { ...context, fed: 'pilot' }),
      sealAuditHead(last, { ...context, origin: '520000' }),
    ])
    expect((await verify(CHAIN, tokens)).findings.map(({ said }) => said.replace(/^signed head \d: /, '').split(':')[0])).toEqual([
      'TOKEN_SIGNATURE_INVALID',
      'FEDERATION_FOREIGN',
      'TOKEN_CLAIM_INVALID',
    ])
  })
})
