import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readConvictions, readForks } from '../../runtime/ledger/forks.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { digestOf } from '../../schemas/digest.ts'
import { formatLogId, type LogHead } from '../../schemas/log.ts'
import { sealHead } from '../../schemas/statements.ts'
import { headSubject } from '../../schemas/subjects.ts'
import { LOG, logGround, MEMBERS, READERS } from './log-ground.ts'
import { alteredBody, type Entry, falsely, type LyingHub, raised, startLyingHub, underToken } from './lying-hub.ts'
import { legalPerson } from './rows.ts'
import { ask, eventually, field, ingestRows, startTestbed, type Testbed } from './testbed.ts'
import { withholdHeads } from './withheld-heads.ts'

const ID = formatLogId(LOG)

let bed: Testbed
const { nodeDb, takeIn } = logGround(() => bed)
let hub: LyingHub
beforeAll(async () => {
  bed = await startTestbed()
  await bed.stopHub()
  hub = await startLyingHub(bed, '530000', READERS)
})
afterAll(async () => {
  await hub?.[Symbol.asyncDispose]()
  await bed?.[Symbol.asyncDispose]()
})

type Doubt = { readonly kind: string; readonly about: string; readonly count: number; readonly reason: string | null }
const doubtsAt = async (code: string): Promise<Doubt[]> => field((await ask(bed, code, '/v1/logs')).body, 'doubts') as Doubt[]
const countAt = async (code: string, kind: string, about: string): Promise<number> =>
  (await doubtsAt(code)).find(doubt => doubt.kind === kind && doubt.about === about)?.count ?? 0

type OwnRow = { readonly dataset: string; readonly head: LogHead; readonly receipt: LogHead | null }

let number = 0
/** A new record of the origin, in an envelope of its own; answers its key. */
async function seal(): Promise<string> {
  number += 1
  return takeIn(number)
}
const reaches = async (key: string, readers = READERS): Promise<void> => {
  for (const code of readers)
    await eventually(
      `${key} at ${code}`,
      () => ask(bed, code, `/v1/entity/${key}`),
      one => one.status === 200,
      40_000,
    )
}
const receipted = (): Promise<unknown> =>
  eventually(
    'the receipt',
    () => readLog(nodeDb('530000'), LOG),
    state => state?.receipt?.digest === state?.head?.digest,
    40_000,
  )

/** What a supervisor sees: a doubt of this kind, about this log or program, at this holder. */
async function sees<T>(code: string, kind: string, about: string, act: () => Promise<T>): Promise<T> {
  const before = await countAt(code, kind, about)
  const result = await act()
  await eventually(
    `${kind} about ${about} at ${code}`,
    () => countAt(code, kind, about),
    count => count > before,
    40_000,
  )
  return result
}

/** After every lie: no honest log is frozen anywhere, and everything sealed so far stands at every reader under its origin's digests. */
afterEach(async () => {
  hub.tell({})
  for (const code of MEMBERS) expect(await readForks(nodeDb(code))).toEqual([])
  const own = (await readLog(nodeDb('530000'), LOG))?.head?.digest
  for (const code of READERS)
    await eventually(
      `the whole log at ${code}`,
      async () => (await readLog(nodeDb(code), LOG))?.head?.digest,
      digest => digest === own,
      40_000,
    )
})

describe('a hub that lies on the road', () => {
  it('by dropping an entry shows as entries missing, and the next one brings both', async () => {
    await reaches(await seal())
    let dropped = false
    hub.tell({
      road: entry => {
        const passes = dropped
        dropped = true
        return passes ? [entry] : []
      },
    })
    const first = await seal()
    await sees('520000', 'entries-missing', ID, async () => reaches(await seal()))
    await reaches(first)
  })

  it('by reordering shows as entries missing', async () => {
    const held: Entry[] = []
    hub.tell({
      road: entry => {
        held.push(entry)
        return held.length === 3 ? held.toReversed() : []
      },
    })
    await sees('520000', 'entries-missing', ID, async () => {
      for (const key of [await seal(), await seal(), await seal()]) await reaches(key)
    })
  })

  it('by repeating is harmless: what is held is held once', async () => {
    hub.tell({ road: entry => [entry, entry, ...hub.entries] })
    const key = await seal()
    await reaches(key)
    await reaches(await seal())
    expect(field((await ask(bed, '520000', `/v1/entity/${key}`)).body, 'items', 'length')).toBe(1)
  })

  it('by altering a body shows as an entry refused, which stands in quarantine, and the true one is fetched', async () => {
    hub.tell({ road: entry => [alteredBody(entry)] })
    await sees('520000', 'entry-refused', '530000', async () => reaches(await seal()))
    const { body } = await ask(bed, '520000', '/v1/quarantine?kind=envelope')
    expect(field(body, 'items', 0, 'code')).toMatch(/^BODY_(DIGEST_MISMATCH|TOO_LARGE)$/)
  })

  it('by keeping an entry from everybody shows as a tail missing; the origin gives it, and the hub is named that did not', async () => {
    hub.tell({ road: () => [], range: () => [] })
    await sees('520000', 'tail-missing', ID, () => sees('520000', 'answer-empty', 'hub', async () => reaches(await seal())))
  })

  it('by keeping the tail from one reader alone shows at that reader, whose consumer is gone, and at no other', async () => {
    await hub.consumer('530000', '520000', 'none')
    const other = await countAt('000000', 'tail-missing', ID)
    await sees('520000', 'tail-missing', ID, async () => reaches(await seal()))
    expect(await countAt('000000', 'tail-missing', ID)).toBe(other)
    const health = await eventually(
      'the health of 520000',
      () => ask(bed, '520000', '/health/ready'),
      answer => answer.status === 503,
      40_000,
    )
    expect(field(health.body, 'checks')).toContainEqual(expect.objectContaining({ name: 'followers', ok: false }))
    await hub.consumer('530000', '520000', 'all')
  })

  it("by making up an entry under its own key shows as an entry refused: it has nobody's key but its own", async () => {
    const [entry] = hub.entries.slice(-1)
    if (entry === undefined) throw new Error('nothing was sealed')
    const claims = JSON.parse(Buffer.from(entry.token.split('.')[1] ?? '', 'base64url').toString('utf8')) as { seq: number }
    const token = await (await bed.signer('hub')).sign('envelope', { ...claims, seq: claims.seq + 1, prv: entry.head.digest })
    await sees('520000', 'entry-refused', '530000', async () => hub.deliver({ ...entry, ...underToken(token) }))
  })
})

describe('a hub that lies in its receipts', () => {
  it('by withholding them shows at the origin, whose outbox stays full and sends again', async () => {
    hub.tell({ receipts: () => [] })
    await sees('530000', 'receipt-missing', ID, async () => reaches(await seal()))
    const own = (field((await ask(bed, '530000', '/v1/logs')).body, 'logs') as OwnRow[]).find(log => log.dataset === 'entity')
    expect(own?.receipt?.seq).toBe((own?.head.seq ?? 0) - 1)
    hub.tell({})
    await receipted()
  })

  it('by naming what was never sealed clears no outbox, and shows as a receipt refused', async () => {
    hub.tell({ receipts: head => [{ ...falsely(head), seq: head.seq + 3 }] })
    await sees('530000', 'receipt-refused', 'hub', async () => reaches(await seal()))
    expect((await readLog(nodeDb('530000'), LOG))?.receipt?.seq).toBe(((await readLog(nodeDb('530000'), LOG))?.head?.seq ?? 0) - 1)
    hub.tell({})
    await receipted()
  })

  it('by contradicting itself is convicted, at every member, and the log goes on', async () => {
    hub.tell({ receipts: head => [falsely(head), head] })
    await reaches(await seal())
    await receipted()
    for (const code of MEMBERS) {
      const [proof] = await eventually(
        `the conviction at ${code}`,
        () => readConvictions(nodeDb(code)),
        found => found.length > 0,
        40_000,
      )
      expect(proof?.reason).toContain(`${ID}: two digests at 1.`)
      expect(field((await ask(bed, code, '/v1/logs')).body, 'convictions')).toBeGreaterThan(0)
      expect(field((await ask(bed, code, '/v1/forks')).body, 'hub', 0, 'statements', 'length')).toBe(2)
    }
  })

  it('by receipting what it then gives to nobody loses nothing: the origin still holds it', async () => {
    hub.tell({ road: () => [], range: () => [] })
    const key = await seal()
    await receipted()
    await sees('520000', 'answer-empty', 'hub', () => reaches(key))
  })
})

describe('a hub that lies in its answers', () => {
  it.each<[string, (entries: readonly Entry[]) => readonly Entry[], string]>([
    ['altered entries', entries => entries.map(alteredBody), 'answer-refused'],
    ['entries of another place', () => hub.entries.slice(0, 2), 'answer-empty'],
    ['every other entry', entries => entries.filter((_, index) => index % 2 === 1), 'answer-empty'],
    ['nothing', () => [], 'answer-empty'],
  ])('by giving %s for a range is named, and the next holder is asked', async (_, range, kind) => {
    hub.tell({ road: () => [], range })
    const keys = [await seal(), await seal(), await seal()]
    await sees('520000', kind, 'hub', async () => {
      for (const key of keys) await reaches(key)
    })
  })

  it('by telling an origin that it has sealed more than it has does not keep it from sealing', async () => {
    hub.tell({ standing: tokens => tokens.map(raised) })
    await bed.stopNode('530000')
    // Only a node that cannot trust its own note asks others at all.
    await rm(join(bed.dataDir('530000'), 'sealed-530000.json'), { force: true })
    await bed.startNode('530000')
    await reaches(await seal())
    expect(await countAt('530000', 'standing-refused', 'hub')).toBeGreaterThan(0)
  })

  it('by telling an origin that it has sealed nothing is contradicted by every neighbour', async () => {
    hub.tell({ standing: () => [] })
    await bed.stopNode('530000')
    await rm(join(bed.dataDir('530000'), 'sealed-530000.json'), { force: true })
    await bed.startNode('530000')
    await reaches(await seal())
  })
})

describe('a hub that speaks for an origin', () => {
  it('in a head of its own making moves nobody, and shows as a head refused', async () => {
    const at = [{ log: LOG, head: { epoch: 1, seq: 1, digest: digestOf('another history') } }]
    const context = { fed: bed.membership.fed, mem: 0, signer: await bed.signer('hub'), now: new Date() }
    const lie = await sealHead('530000', 'all', at, [], context)
    const { connection } = await bed.connectAs('hub')
    await sees('520000', 'head-refused', '530000', async () => connection.publish(headSubject('530000', 'all'), lie))
  })
})

describe("a hub that keeps one origin's heads from one reader", () => {
  it('shows there as an origin that is missing though another member has just seen it, and nowhere else', async () => {
    await using other = await startTestbed(undefined, { interfere: withholdHeads('530000', '520000') })
    await ingestRows(other, '530000', [legalPerson('91530100MA6K00001X', '公司')])
    const at = async (code: string) => {
      const { body } = await ask(other, code, '/v1/logs')
      const row = (field(body, 'logs') as { origin: string; origin_state: string }[]).find(log => log.origin === '530000')
      const doubt = (field(body, 'doubts') as Doubt[]).find(({ kind }) => kind === 'head-withheld')
      return { state: row?.origin_state, about: doubt?.about, reason: doubt?.reason }
    }
    const seen = await eventually(
      'the doubt',
      () => at('520000'),
      ({ about }) => about !== undefined,
      90_000,
    )
    expect(seen).toEqual({
      state: expect.stringMatching(/^(late|missing)$/),
      about: ID,
      reason: expect.stringMatching(/^000000 has seen 1\.1$/),
    })
    expect(await at('000000')).toEqual({ state: 'current', about: undefined, reason: undefined })
    expect((await ask(other, '520000', '/v1/entity/91530100MA6K00001X')).status).toBe(200)
  })
})
