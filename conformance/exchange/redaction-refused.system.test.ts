import { headers } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { decodeBody } from '../../schemas/encoding.ts'
import { openToken } from '../../schemas/opening.ts'
import { redactBody, sealRedaction } from '../../schemas/redaction.ts'
import { HEADERS, logSubject } from '../../schemas/subjects.ts'
import { erasureGround, foundIn } from './erasure-ground.ts'
import { type Db, headAt, LOG, ORIGIN } from './log-ground.ts'
import { legalPerson } from './rows.ts'
import { ask, eventually, ingestRows, startTestbed, type Testbed } from './testbed.ts'

const SALT = 'AAAAAAAAAAAAAAAAAAAAAA'

let bed: Testbed
const { nodeDb, holders, spread, redact, nowhere } = erasureGround(() => bed)
beforeAll(async () => {
  bed = await startTestbed()
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

describe('a redaction that is not right', () => {
  const entryAt = async (seq: number) =>
    bed.hubDb
      .selectFrom('envelope')
      .selectAll()
      .where('log_id', '=', (await readLog(bed.hubDb, LOG))?.id ?? 0)
      .where('seq', '=', seq)
      .executeTakeFirstOrThrow()
  const forge = async (key: string, seq: number, signer: string) => {
    const entry = await entryAt(seq)
    const body = redactBody(await decodeBody(entry.body ?? Buffer.alloc(0), entry.encoding), new Set([key]), SALT)
    const { claims } = await openToken('envelope', entry.token, bed.membership, LOG)
    const token = await sealRedaction(
      { log: LOG, position: { epoch: 1, seq }, old: claims?.dig ?? '', keys: new Set([key]), why: 'ordered', body },
      { fed: bed.membership.fed, mem: 0, signer: await bed.signer(signer), now: new Date() },
    )
    const set = headers()
    set.set(HEADERS.redaction, token)
    await (await bed.connectAs(ORIGIN)).stream.publish(logSubject(LOG), body, { headers: set })
  }
  const others = (): [string, Db][] => holders().filter(([name]) => name !== ORIGIN)
  const refusedEverywhere = async (code: string, seen: ReadonlyMap<string, number>): Promise<void> => {
    for (const [name, db] of others())
      await eventually(
        `${code} at ${name}`,
        () => countOf(db, code),
        count => count > (seen.get(name) ?? 0),
      )
  }
  const countOf = async (db: Db, code: string): Promise<number> =>
    (await db.selectFrom('quarantine').select('id').where('code', '=', code).execute()).length
  const seenNow = async (code: string): Promise<Map<string, number>> =>
    new Map(await Promise.all(others().map(async ([name, db]): Promise<[string, number]> => [name, await countOf(db, code)])))

  it('is refused by every holder when the record still stands, its origin first', async () => {
    const key = '91530100MA6K00003C'
    await ingestRows(bed, ORIGIN, [legalPerson(key, '仍然有效')])
    await spread()
    expect(await redact(key)).toMatchObject({ status: 409, body: { code: 'REDACTION_NOT_ALLOWED' } })
    const seen = await seenNow('REDACTION_NOT_ALLOWED')
    await forge(key, (await headAt(bed.hubDb))?.seq ?? 0, ORIGIN)
    await refusedEverywhere('REDACTION_NOT_ALLOWED', seen)
    for (const [name, db] of holders()) expect([name, await foundIn(db, '仍然有效')]).not.toEqual([name, []])
    expect((await ask(bed, '520000', `/v1/entity/${key}`)).status).toBe(200)
  })

  it('is refused and quarantined when another member signed it', async () => {
    const key = '91530100MA6K00004D'
    await ingestRows(bed, ORIGIN, [legalPerson(key, '他人所签甲')])
    const seq = (await headAt(nodeDb(ORIGIN)))?.seq ?? 0
    await ingestRows(bed, ORIGIN, [legalPerson(key, '他人所签乙')])
    await spread()
    const seen = await seenNow('KEY_UNKNOWN')
    await forge(key, seq, '520000')
    await refusedEverywhere('KEY_UNKNOWN', seen)
    for (const [name, db] of holders()) expect([name, await foundIn(db, '他人所签甲')]).not.toEqual([name, []])
  })

  it('keeps nothing of what was erased when the old bytes are offered once more, whole or damaged', async () => {
    const key = '91530100MA6K00005E'
    await ingestRows(bed, ORIGIN, [legalPerson(key, '再次送来甲')])
    await spread()
    const entry = await entryAt((await headAt(bed.hubDb))?.seq ?? 0)
    await ingestRows(bed, ORIGIN, [legalPerson(key, '再次送来甲', '3')])
    await spread()
    await redact(key)
    await nowhere('再次送来甲')
    const thief = await bed.connectAs(ORIGIN)
    const offer = async (body: Uint8Array, subject: string): Promise<void> => {
      const set = headers()
      set.set(HEADERS.envelope, entry.token)
      set.set(HEADERS.encoding, entry.encoding)
      await thief.stream.publish(subject, body, { headers: set })
    }
    const seen = await seenNow('SUBJECT_MISMATCH')
    const whole = entry.body ?? Buffer.alloc(0)
    await offer(whole, logSubject(LOG))
    await offer(Buffer.concat([whole, Buffer.from(' ')]), logSubject(LOG))
    await offer(whole, logSubject({ ...LOG, dataset: 'trade' }))
    await refusedEverywhere('SUBJECT_MISMATCH', seen)
    for (const [, db] of others()) expect(await foundIn(db, '再次送来甲')).toEqual([])
  })
})
