import { exportJWK, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { sealOpening } from './envelope.ts'
import type { LogHead } from './log.ts'
import { parseMembership } from './membership.ts'
import { openToken } from './opening.ts'
import { planReopening, versionAfter } from './reopening-rule.ts'
import { createSigner } from './tokens.ts'

const at = (epoch: number, seq: number): LogHead => ({ epoch, seq, digest: `d${epoch}.${seq}` })
const shows = (holder: string, head: LogHead) => ({ holder, head })

describe('what an origin declares lost', () => {
  it('is everything behind what it holds, closed at the highest position that its own key is shown to have signed', () => {
    const plan = planReopening(at(1, 4), [shows('hub', at(1, 6)), shows('520000', at(1, 9)), shows('320000', at(1, 2))], null, 3)
    expect(plan).toMatchObject({ epoch: 2, closing: at(1, 9), until: { epoch: 1, seq: 9 } })
    expect(plan?.lost).toMatchObject({ epoch: 1, seq: 5, previous: 'd1.4' })
  })
  it('is nothing where nobody shows more and the own note says no more', () => {
    expect(planReopening(at(1, 4), [shows('hub', at(1, 4))], { epoch: 1, seq: 4 }, 0)).toBeNull()
    expect(planReopening(null, [], null, 0)).toBeNull()
  })
  it('follows the own note where nobody shows anything, and closes at what is held', () => {
    expect(planReopening(at(1, 4), [], { epoch: 1, seq: 8 }, 0)).toMatchObject({ epoch: 2, closing: at(1, 4), until: { seq: 8 } })
  })
  it('opens an epoch above every one that may have been opened', () => {
    expect(planReopening(at(1, 4), [shows('hub', at(1, 5))], { epoch: 3, seq: 2 }, 0)).toMatchObject({
      epoch: 4,
      closing: at(1, 5),
    })
  })
  it('can be a whole log', () => {
    expect(planReopening(null, [shows('hub', at(1, 5))], null, 0)).toMatchObject({
      epoch: 2,
      closing: at(1, 5),
      lost: { epoch: 1, seq: 0, previous: null },
    })
  })
  it('leaves every lost record below the versions that come after, however often a lost envelope counted its key up', () => {
    const highest = 7
    const floor = planReopening(at(1, 4), [shows('hub', at(1, 6))], null, highest)?.lost.floor ?? 0
    expect(floor).toBeGreaterThanOrEqual(highest + 2 * 512)
    expect(versionAfter(highest, floor)).toBe(floor + 1)
    expect(versionAfter(floor + 1, floor)).toBe(floor + 2)
    expect(versionAfter(0, 0)).toBe(1)
  })
})

describe('the opening that says it', async () => {
  const { publicKey, privateKey } = await generateKeyPair('Ed25519', { extractable: true })
  const signer = createSigner('own', 'Ed25519', privateKey)
  const keys = [{ kid: 'own', x: (await exportJWK(publicKey)).x }]
  const member = { code: '530000', kind: 'province', zh: '云南', en: 'Yunnan', writes: ['entity'], keys }
  const membership = await parseMembership(JSON.stringify({ fed: 'demo-1', position: 0, hub: { keys }, members: [member] }))
  const log = { origin: '530000', dataset: 'entity', audience: 'all' }
  const digest = (letter: string): string => `sha-256:${letter.repeat(43)}`
  const context = { fed: 'demo-1', mem: 0, signer, now: new Date(0) }
  const closing: LogHead = { epoch: 1, seq: 9, digest: digest('A') }
  const lost = { epoch: 1, seq: 5, previous: digest('B'), floor: 512 }

  it('carries the loss and the highest known position', async () => {
    const { token } = await sealOpening(log, 2, closing, context, lost)
    expect((await openToken('epoch', token, membership, null)).entry).toMatchObject({ kind: 'opening', epoch: 2, closing, lost })
    const whole = await sealOpening(log, 2, null, context, { epoch: 1, seq: 0, previous: null, floor: 0 })
    expect((await openToken('epoch', whole.token, membership, null)).entry).toMatchObject({ closing: null, lost: { seq: 0 } })
  })
  it('may skip epochs, which an opening without a loss may not', async () => {
    expect(await openToken('epoch', (await sealOpening(log, 4, closing, context, lost)).token, membership, null)).toBeDefined()
    const { token } = await sealOpening(log, 4, closing, context)
    await expect(openToken('epoch', token, membership, null)).rejects.toMatchObject({ code: 'TOKEN_CLAIM_INVALID' })
  })
  it.each([
    ['a loss in its own epoch', 2, { ...lost, epoch: 2 }],
    ['a loss that names nothing before it', 2, { ...lost, previous: null }],
    ['a whole loss that names something before it', 2, { ...lost, seq: 0 }],
  ])('is refused with %s', async (_, epoch, wrong) => {
    const { token } = await sealOpening(log, epoch, closing, context, wrong)
    await expect(openToken('epoch', token, membership, null)).rejects.toMatchObject({ code: 'TOKEN_CLAIM_INVALID' })
  })
})
