/**
 * The trust chain that the specification publishes (OpenID Federation 1.0, its example of a resolved chain), as of its date: signed by
 * others, with an algorithm that we never sign with.
 */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseStatement } from './statements.ts'
import { verifyTrustChain } from './trust-chain.ts'

const FILE = new URL('../../../../shared/data/jose/openid-federation/spec-jwts.json', import.meta.url)
const present = existsSync(FILE)
if (!present) process.stdout.write('skipped: the published trust chain is not here (../shared/data/jose/openid-federation)\n')

type Published = {
  readonly typ?: string
  readonly iss: string
  readonly sub?: string
  readonly jwt: string
  readonly verify: string
}
const published = present ? (JSON.parse(readFileSync(FILE, 'utf8')) as Published[]) : []
const chain = published.filter(({ typ, verify }) => typ === 'entity-statement+jwt' && verify === 'sig-ok').map(({ jwt }) => jwt)
const DAY = new Date('2026-01-07T00:00:00Z')

describe.skipIf(!present)('the published trust chain', () => {
  const anchorOf = () => {
    const { iss, jwks } = parseStatement(chain.at(-1) ?? '')
    return [{ id: iss, jwks }]
  }
  const refused = (changed: readonly string[], code: string, now = DAY) =>
    expect(verifyTrustChain(changed, anchorOf(), now)).rejects.toThrow(code)

  test('verifies on its day, with and without the anchor’s configuration at its end', async () => {
    expect(chain).toHaveLength(4)
    const found = await verifyTrustChain(chain, anchorOf(), DAY)
    expect(found).toMatchObject({
      subject: 'https://credential_issuer.example.org',
      anchor: 'https://trust-anchor.example.org',
      expiresAt: new Date('2026-01-10T02:09:44Z'),
    })
    expect(Object.keys(found.metadata)).toContain('openid_credential_issuer')
    expect((await verifyTrustChain(chain.slice(0, 3), anchorOf(), DAY)).subject).toBe(found.subject)
  })

  test('is refused after its end and before its beginning', async () => {
    await refused(chain, 'STATEMENT_EXPIRED', new Date('2026-01-10T02:09:44Z'))
    await refused(chain, 'STATEMENT_EXPIRED', new Date('2026-01-06T14:40:00Z'))
  })

  test('is refused with an intermediate left out', async () => {
    await refused([chain[0] ?? '', ...chain.slice(2)], 'TRUST_CHAIN_BROKEN')
    await refused([chain[0] ?? '', chain[1] ?? '', chain[3] ?? ''], 'TRUST_CHAIN_BROKEN')
  })

  test('is refused with one character of any claims or signature changed', async () => {
    for (const index of chain.keys()) {
      const [header = '', claims = '', signature = ''] = (chain[index] ?? '').split('.')
      const flipped = signature.replace(/^./, first => (first === 'A' ? 'B' : 'A'))
      const other = Buffer.from(claims, 'base64url').toString().replace('1768010984', '1768010985')
      for (const changed of [
        `${header}.${claims}.${flipped}`,
        `${header}.${Buffer.from(other).toString('base64url')}.${signature}`,
      ])
        await refused(chain.with(index, changed), 'TOKEN_SIGNATURE_INVALID')
    }
  })

  test('leads to no other anchor, even one with the same keys', async () => {
    const elsewhere = [{ id: 'https://hub.example', jwks: anchorOf()[0]?.jwks ?? [] }]
    await expect(verifyTrustChain(chain, elsewhere, DAY)).rejects.toThrow('TRUST_CHAIN_BROKEN')
  })
})
