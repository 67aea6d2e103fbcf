import { readFileSync } from 'node:fs'
import { importJWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { digestOf } from './digest.ts'
import { judgeHead } from './head-rule.ts'
import { parseMembership } from './membership.ts'
import { judgeRoot } from './root-rule.ts'
import { growthForSnapshot } from './snapshot-rule.ts'
import { openHead, sealHead } from './statements.ts'
import { createSigner } from './tokens.ts'

const { membership: file } = JSON.parse(readFileSync(new URL('./vectors/redactions.json', import.meta.url), 'utf8')) as {
  membership: { members: { keys: { kid: string }[] }[] }
}
const membership = await parseMembership(JSON.stringify(file))
/** RFC 8037, appendix A */
const key = await importJWK(
  {
    kty: 'OKP',
    crv: 'Ed25519',
    d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
    x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  },
  'Ed25519',
)
const log = { origin: '530000', dataset: 'entity', audience: 'all' }
const at = { epoch: 1, seq: 7, digest: digestOf('seven') }
const head = { epoch: 1, seq: 9, digest: digestOf('nine') }
const root = digestOf('root')

describe('a head with a snapshot', () => {
  const seal = async (snapshot: { at: typeof at; root: string; records: number } | null) => {
    if (!(key instanceof CryptoKey)) throw new Error('expected a key')
    const signer = createSigner(file.members[0]?.keys[0]?.kid ?? '', 'Ed25519', key)
    const token = await sealHead('530000', 'all', [{ log, head, snapshot }], [], {
      fed: membership.fed,
      mem: 0,
      signer,
      now: new Date(0),
    })
    return openHead(token, membership)
  }

  it('says position, digest, root and number of records, and nothing where there is none', async () => {
    expect((await seal({ at, root, records: 3 })).logs[0]?.snapshot).toEqual({ at, root, records: 3 })
    expect((await seal(null)).logs[0]?.snapshot).toBeNull()
  })

  it('proves a fork beside another entry at the position of the snapshot', async () => {
    const one = await seal({ at, root, records: 3 })
    const history = (digest: string) => () => ({
      head,
      frozen: false,
      at: ({ seq }: { seq: number }) =>
        seq === at.seq ? { token: 'entry', assertions: [{ kind: 'stands' as const, log, at: { epoch: 1, seq }, digest }] } : null,
    })
    expect(judgeHead(one, null, history(at.digest))).toEqual([])
    expect(judgeHead(one, null, history(digestOf('another')))).toMatchObject([{ log, statements: ['entry', one.token] }])
  })
})

describe('a root', () => {
  it('is true with the same root and the same number of records only', () => {
    const own = { root, records: 3 }
    expect(judgeRoot({ root, records: 3 }, own).verdict).toBe('same')
    expect(judgeRoot({ root, records: 4 }, own)).toMatchObject({ verdict: 'differs', ownRoot: root })
    expect(judgeRoot({ root: digestOf('other'), records: 3 }, own)).toMatchObject({ verdict: 'differs', ownRoot: root })
  })
})

describe('the next snapshot', () => {
  const isDue = (seq: number, last: number | null, epoch = 1): boolean => {
    const { grown, wanted } = growthForSnapshot({ epoch, seq }, last === null ? null : { epoch: 1, seq: last }, 64)
    return grown >= wanted
  }

  it('is due once the log has grown by half, and by a least number of entries', () => {
    expect([isDue(63, null), isDue(64, null), isDue(127, 64), isDue(128, 64), isDue(1499, 1000), isDue(1500, 1000)]).toEqual([
      false,
      true,
      false,
      true,
      false,
      true,
    ])
  })

  it('makes all snapshots of a log together cost at most three times its length', () => {
    let last: number | null = null
    let read = 0
    for (let seq = 1; seq <= 100_000; seq += 1) {
      if (!isDue(seq, last)) continue
      last = seq
      read += seq
    }
    expect(read).toBeLessThan(300_000)
  })

  it('counts a new epoch from its beginning', () => expect([isDue(499, 1000, 2), isDue(500, 1000, 2)]).toEqual([false, true]))
})
