/** What a thief signed before anybody noticed, at a holder that took it in good faith: a real ledger and replica, and the rules. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { NODE_MIGRATIONS } from '../../node/migrations/migrations.ts'
import { replicator } from '../../node/replica/replicator.ts'
import { withdrawRecords } from '../../node/replica/withdrawal.ts'
import type { NodeTables } from '../../node/tables.ts'
import { readForks } from '../../runtime/ledger/forks.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { createReceiver } from '../../runtime/ledger/receiver.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { startTakingBack } from '../../runtime/ledger/taking-back.ts'
import type { MembershipSource } from '../../runtime/membership/keeper.ts'
import { type Database, openDatabase } from '../../runtime/postgres/database.ts'
import { migrate } from '../../runtime/postgres/migrator.ts'
import { startPostgres } from '../../runtime/postgres/server.ts'
import { makeUscc } from '../../schemas/codes/uscc.ts'
import { type SealedEntry, sealEnvelope, sealOpening } from '../../schemas/envelope.ts'
import type { LogHead } from '../../schemas/log.ts'
import { wireClosing } from '../../schemas/membership/keys.ts'
import { closingAt, keyNamed, NOW, SampleFederation } from '../../schemas/membership/sample-federation.ts'
import { membershipOf } from '../../schemas/membership/state.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { ExchangeRecord } from '../../schemas/record.ts'

const undo = new AsyncDisposableStack()
let database: Database<NodeTables>
let federation: SampleFederation
let membership: Membership
const YUNNAN = '530000'
const LOG = { origin: YUNNAN, dataset: 'entity', audience: 'all' }

beforeAll(async () => {
  const home = await mkdtemp(join(tmpdir(), 'hutong-theft-'))
  undo.defer(() => rm(home, { recursive: true, force: true }))
  const server = undo.use(await startPostgres({ dataDir: home }))
  const url = await server.createDatabase('theft', 'theft', 'theft-test-password')
  database = undo.use(openDatabase<NodeTables>(url, { applicationName: 'test', poolSize: 4 }))
  await migrate(database, NODE_MIGRATIONS)
}, 60_000)
afterAll(() => undo.disposeAsync())
beforeEach(async () => {
  await sql`TRUNCATE log, envelope, redaction, quarantine, fork, replica_entity CASCADE`.execute(database.kysely)
  federation = await SampleFederation.found()
  await federation.admit(YUNNAN)
  membership = await membershipOf(federation.state)
})

const ledger = () => database.kysely.$pickTables<keyof LedgerTables>()
const code = makeUscc('530100', 'MA6K0001')
const says = (key: string, ver: number, name: string): ExchangeRecord => ({
  key,
  op: 'put',
  ver,
  at: '2026-03-01T00:00:00Z',
  platform: '530000-01',
  body: { name, code, code_verdict: { kind: 'uscc', outer: 'right', inner: 'right' }, roles: ['bidder'] },
})
/** By the key of that name, as of the membership that stands here. */
async function sealed(head: LogHead | null, by: string, records: readonly ExchangeRecord[], salt = 'A'): Promise<SealedEntry> {
  const context = { fed: federation.fed, mem: membership.position, signer: (await keyNamed(by)).signer, now: NOW }
  return head === null
    ? sealOpening(LOG, 1, null, context)
    : sealEnvelope(LOG, head, records, { ...context, salt: salt.repeat(22) })
}
async function arrive(...entries: readonly SealedEntry[]): Promise<string[]> {
  const receiver = createReceiver({ db: ledger(), membership: () => membership, effect: replicator, announced: () => null })
  const opened = await Promise.all(
    entries.map(({ token, body, seq }) =>
      receiver.open({
        kind: seq === 0 ? 'epoch' : 'envelope',
        token,
        encoding: 'identity',
        body: body ?? Buffer.alloc(0),
        subject: null,
      }),
    ),
  )
  return (await receiver.receive(opened)).map(outcome => outcome.kind)
}
const standing = async (): Promise<string[]> =>
  (
    await sql<{ key: string; ver: number; name: string }>`
      SELECT key, ver, body->>'name' AS name FROM replica_entity ORDER BY key`.execute(database.kysely)
  ).rows.map(({ key, ver, name }) => `${key} ${ver} ${name}`)

/** The owner replaces the stolen key under its recovery key; its logs close at `closing`. */
const replaceStolen = (closing: LogHead): Promise<void> => replace(closing, true)
async function replace(closing: LogHead, stolen: boolean): Promise<void> {
  const change = await federation.change(
    YUNNAN,
    {
      announce: [(await keyNamed('next')).jwk],
      activate: [(await keyNamed('next')).jwk.kid],
      retire: [{ kid: (await keyNamed(`${YUNNAN} first`)).jwk.kid, closings: [wireClosing(LOG, closing)] }],
      ...(stolen ? { stolen: true as const } : {}),
    },
    { by: `${YUNNAN} first recovery`, entering: ['next'] },
  )
  expect(await federation.enter({ act: 'keys', code: YUNNAN, change })).toMatchObject({ kind: 'applied' })
  membership = await membershipOf(federation.state)
}
async function takeBack(withdraw: typeof withdrawRecords | null = withdrawRecords) {
  const said: string[] = []
  const source: MembershipSource = { membership: () => membership, onChange: () => ({ [Symbol.dispose]() {} }) }
  await startTakingBack({
    db: ledger(),
    source,
    own: '520000',
    withdraw,
    events: {
      takenBack: ({ from, entries }) => said.push(`${entries} from ${from.epoch}.${from.seq}`),
      thawed: () => said.push('thawed'),
      failed: (_origin, error) => {
        throw error
      },
    },
  })[Symbol.asyncDispose]()
  return said
}
const FIRST = `${YUNNAN} first`

test('what a thief signed past the closing goes to quarantine, its effect is undone, and the log goes on from the closing', async () => {
  const opening = await sealed(null, FIRST, [])
  const good = await sealed(opening, FIRST, [says('a', 1, '甲'), says('b', 1, '乙')])
  const forged = await sealed(good, FIRST, [says('a', 2, '伪造'), says('c', 1, '伪造')])
  expect(await arrive(opening, good, forged)).toEqual(['accepted', 'accepted', 'accepted'])
  expect(await standing()).toEqual(['a 2 伪造', 'b 1 乙', 'c 1 伪造'])

  await replaceStolen(good)
  expect(await takeBack()).toEqual(['1 from 1.2'])
  expect(await standing()).toEqual(['a 1 甲', 'b 1 乙'])
  expect((await readLog(ledger(), LOG))?.head).toEqual({ epoch: 1, seq: 1, digest: good.digest })
  const aside = await ledger().selectFrom('quarantine').select(['code', 'seq', 'origin']).execute()
  expect(aside).toEqual([{ code: 'KEY_OUT_OF_RANGE', seq: 2, origin: YUNNAN }])

  const next = await sealed(good, 'next', [says('a', 2, '甲（更名）')])
  expect(await arrive(next)).toEqual(['accepted'])
  expect(await standing()).toEqual(['a 2 甲（更名）', 'b 1 乙'])
  expect(await takeBack()).toEqual([])
  expect(await arrive(forged)).toEqual(['refused'])
})

test('a log that was frozen because the thief and the owner both went on is thawed, whichever of the two came first', async () => {
  for (const thiefFirst of [true, false]) {
    await sql`TRUNCATE log, envelope, quarantine, fork, replica_entity CASCADE`.execute(database.kysely)
    federation = await SampleFederation.found()
    await federation.admit(YUNNAN)
    membership = await membershipOf(federation.state)
    const opening = await sealed(null, FIRST, [])
    const good = await sealed(opening, FIRST, [says('a', 1, '甲')])
    const forged = await sealed(good, FIRST, [says('a', 2, '伪造')])
    const own = await sealed(good, FIRST, [says('a', 2, '甲二')], 'B')
    const [one, other] = thiefFirst ? [forged, own] : [own, forged]
    expect(await arrive(opening, good, one)).toEqual(['accepted', 'accepted', 'accepted'])
    expect(await arrive(other)).toEqual(['forked'])
    expect(await readForks(ledger())).toHaveLength(1)

    // The owner closes at the last entry that it stands by: its own.
    await replaceStolen(thiefFirst ? good : own)
    expect(await takeBack()).toEqual(thiefFirst ? ['1 from 1.2', 'thawed'] : ['thawed'])
    expect(await readForks(ledger())).toEqual([])
    const next = await sealed(thiefFirst ? good : own, 'next', [says('a', 3, '甲三')], 'C')
    expect(await arrive(next)).toEqual(['accepted'])
    expect(await standing()).toEqual(['a 3 甲三'])
  }
})

test('a frozen log that has not reached the closing goes back to before the histories part, and takes the one that leads there', async () => {
  const opening = await sealed(null, FIRST, [])
  const good = await sealed(opening, FIRST, [says('a', 1, '甲')])
  const forged = await sealed(good, FIRST, [says('a', 2, '伪造')])
  const own = await sealed(good, FIRST, [says('a', 2, '甲二')], 'B')
  const last = await sealed(own, FIRST, [says('a', 3, '甲三')], 'C')
  await arrive(opening, good, forged)
  expect(await arrive(own)).toEqual(['forked'])
  await replaceStolen(last)
  expect(await takeBack()).toEqual(['thawed'])
  expect(await standing()).toEqual(['a 1 甲'])
  expect(await arrive(own, last, await sealed(last, 'next', [says('a', 4, '甲四')], 'D'))).toEqual([
    'accepted',
    'accepted',
    'accepted',
  ])
  expect(await arrive(forged)).toEqual(['refused'])
  expect(await readForks(ledger())).toEqual([])
  expect(await standing()).toEqual(['a 4 甲四'])
})

test('an ordinary rollover thaws nothing', async () => {
  const opening = await sealed(null, FIRST, [])
  const good = await sealed(opening, FIRST, [says('a', 1, '甲')])
  const [one, other] = [await sealed(good, FIRST, [says('a', 2, '一')]), await sealed(good, FIRST, [says('a', 2, '二')], 'B')]
  await arrive(opening, good, one)
  expect(await arrive(other)).toEqual(['forked'])
  await replace(one, false)
  expect(await takeBack()).toEqual([])
  expect(await readForks(ledger())).toHaveLength(1)
})

test('a member that is suspended keeps what it said up to its closings, and nothing past them', async () => {
  const opening = await sealed(null, FIRST, [])
  const good = await sealed(opening, FIRST, [says('a', 1, '甲')])
  const late = await sealed(good, FIRST, [says('a', 2, '迟')])
  await arrive(opening, good, late)
  const closings = [wireClosing(LOG, good), closingAt('credit', 'all', 1, 3)]
  expect(await federation.enter({ act: 'suspend', code: YUNNAN, closings, why: 'ordered' })).toMatchObject({ kind: 'applied' })
  membership = await membershipOf(federation.state)
  expect(await takeBack(null)).toEqual(['1 from 1.2'])
  expect((await readLog(ledger(), LOG))?.head).toEqual({ epoch: 1, seq: 1, digest: good.digest })
  expect(await ledger().selectFrom('quarantine').select('code').execute()).toEqual([{ code: 'MEMBER_SUSPENDED' }])
})
