/**
 * How this member changes its own keys. A rollover has three stages, each an entry of its own: announced, active beside the old one, and
 * the old one retired with the position that each log then had; sealing never stops, because which key signs is asked together with the
 * membership position. After a theft sealing stands still for the moment that it takes: the logs' ends are named, the recovery key,
 * which is not here, signs, and the new key goes on from there.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import type { EncKeys } from '../../runtime/keys/enc-keys.ts'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import type { HeldKey, Keyring } from '../../runtime/membership/keyring.ts'
import type { MembershipRoad } from '../../runtime/membership/road.ts'
import { decodeBody } from '../../schemas/encoding.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { KeysClaims } from '../../schemas/generated/keys.ts'
import { comparePositions, formatLogId } from '../../schemas/log.ts'
import { openKeys } from '../../schemas/membership/consents.ts'
import {
  activeKeys,
  keyState,
  provePossession,
  type RegisteredKey,
  type WireClosing,
  wireClosing,
} from '../../schemas/membership/keys.ts'
import type { HubQuestions } from './hub-questions.ts'
import type { ChangeSigner } from './own-change.ts'
import type { OwnStatements } from './own-statements.ts'
import type { SealingGate } from './sealing-gate.ts'

export type RollStage = 'announce' | 'activate' | 'retire'
export type Affected = {
  readonly log: string
  readonly epoch: number
  readonly seq: number
  readonly key: string
  readonly ver: number
  readonly op: string
}
export type KeyRow = {
  readonly kid: string
  readonly alg: string
  readonly state: string
  readonly held: boolean
  readonly announced_at: number
  readonly active_from: number | null
  readonly retired_at: number | null
  readonly stolen: boolean
  readonly closings: readonly { readonly log: string; readonly epoch: number; readonly seq: number }[] | null
}

export type KeyChanges = {
  /** which key is good for what */
  table(): { readonly keys: readonly KeyRow[]; readonly recovery: string }
  /** the stage that is due, or the one that is asked for */
  roll(stage: RollStage | null): Promise<{ readonly stage: RollStage; readonly kid: string; readonly position: number }>
  /** Sealing waits from here on, for two minutes at most. The claims are for the recovery key to sign. */
  prepareReplacement(): Promise<{ readonly claims: KeysClaims; readonly kid: string; readonly unreceipted: number }>
  /** @throws what the hub answers */
  replace(token: string, since: Date | null): Promise<{ readonly position: number; readonly affected: readonly Affected[] }>
  /** A new key that content keys are wrapped for, in force at once; the earlier ones stay for what was said before. */
  renewEncryption(): Promise<{ readonly position: number; readonly kid: string }>
  leave(): Promise<{ readonly position: number }>
}

const PAUSE_MS = 120_000
const RECEIPT_WAIT_MS = 10_000
const AFFECTED_MAX = 10_000
const APPLY_WAIT_MS = 15_000

export function createKeyChanges(options: {
  readonly db: Kysely<LedgerTables>
  readonly own: string
  readonly keeper: MembershipKeeper
  readonly keyring: Keyring
  readonly encKeys: EncKeys
  readonly signer: ChangeSigner
  readonly road: MembershipRoad
  readonly gate: SealingGate
  readonly hub: HubQuestions
  readonly statements: OwnStatements
  readonly clock: () => Date
}): KeyChanges {
  const { db, own, keeper, keyring, encKeys, road, gate, hub, statements, clock } = options
  const { ring, sign } = options.signer
  const invalid = (reason: string): ExchangeError => new ExchangeError('KEY_CHANGE_INVALID', `${own}: ${reason}`)

  /** A key of this node that stands in no entry yet: of a change that was broken off, or new. */
  async function freshKey(): Promise<HeldKey> {
    const registered = new Set(ring().keys.map(({ kid }) => kid))
    return keyring.all().find(({ jwk }) => !registered.has(jwk.kid)) ?? (await keyring.create())
  }

  async function enter(token: string): Promise<number> {
    await statements.note('keys', token)
    const seq = await hub.change(token)
    await applied(seq)
    return seq
  }

  async function applied(seq: number): Promise<void> {
    for (const end = performance.now() + APPLY_WAIT_MS; keeper.state().position < seq; ) {
      await road.catchUp(seq)
      if (performance.now() > end)
        throw new ExchangeError('MEMBERSHIP_BEHIND', `expected entry ${seq}, applied ${keeper.state().position}`)
      if (keeper.state().position < seq) await delay(200)
    }
  }

  /** Where the own logs end, read while nobody can append. */
  const closingsNow = (): Promise<WireClosing[]> =>
    db.transaction().execute(async trx => {
      await sql`LOCK TABLE log IN EXCLUSIVE MODE`.execute(trx)
      return (await readLogs(trx)).flatMap(({ log, head }) => (log.origin === own && head !== null ? [wireClosing(log, head)] : []))
    })

  const announced = (): RegisteredKey | undefined =>
    ring().keys.find(key => keyState(key) === 'announced' && keyring.named(key.kid) !== null)
  const older = (): RegisteredKey[] => {
    const newest = keyring.active(keeper.membership().members.get(own)?.keys ?? []).kid
    return activeKeys(ring()).filter(({ kid }) => kid !== newest)
  }

  const stages: { readonly [stage in RollStage]: () => Promise<{ kid: string; position: number }> } = {
    async announce() {
      const key = await freshKey()
      return { kid: key.jwk.kid, position: await enter(await sign({ announce: [key.jwk] }, [key])) }
    },
    async activate() {
      const key = announced()
      if (key === undefined) throw invalid('expected an announced key whose file is here')
      return { kid: key.kid, position: await enter(await sign({ activate: [key.kid] })) }
    },
    async retire() {
      const old = older()
      const [first] = old
      if (first === undefined) throw invalid('expected an older active key beside the newest')
      const closings = await closingsNow()
      const position = await enter(await sign({ retire: old.map(({ kid }) => ({ kid, closings })) }))
      return { kid: first.kid, position }
    },
  }

  async function waitReceipts(): Promise<number> {
    for (const end = performance.now() + RECEIPT_WAIT_MS; ; ) {
      const behind = (await readLogs(db)).filter(
        ({ log, head, receipt }) =>
          log.origin === own && head !== null && (receipt === null || comparePositions(receipt, head) < 0),
      )
      if (behind.length === 0 || performance.now() > end) return behind.length
      await delay(100)
    }
  }

  async function affectedBy(stolen: readonly RegisteredKey[], since: Date | null): Promise<Affected[]> {
    const found: Affected[] = []
    for (const { kid, alg } of stolen) {
      const prefix = `${Buffer.from(JSON.stringify({ alg, typ: 'hutong-envelope+jwt', kid })).toString('base64url')}.%`
      const { rows } = await sql<{
        origin: string
        dataset: string
        audience: string
        epoch: number
        seq: number
        encoding: string
        body: Buffer | null
      }>`
        SELECT origin, dataset, audience, e.epoch, e.seq, encoding, body FROM envelope e JOIN log ON log.id = e.log_id
        WHERE origin = ${own} AND token LIKE ${prefix} AND received_at >= ${since ?? new Date(0)}
        ORDER BY log_id, e.epoch, e.seq`.execute(db)
      for (const { origin, dataset, audience, epoch, seq, encoding, body } of rows) {
        const log = formatLogId({ origin, dataset, audience })
        for (const { key, ver, op } of await recordsOf(body, encoding)) {
          if (found.length >= AFFECTED_MAX) return found
          found.push({ log, epoch, seq, key, ver, op })
        }
      }
    }
    return found
  }

  return {
    table() {
      const { keys, recovery } = ring()
      return {
        recovery: recovery.kid,
        keys: keys.map(key => ({
          kid: key.kid,
          alg: key.alg,
          state: keyState(key),
          held: keyring.named(key.kid) !== null,
          announced_at: key.announcedAt,
          active_from: key.activeFrom,
          retired_at: key.retiredAt,
          stolen: key.stolen,
          closings: key.closings === null ? null : [...key.closings].map(([log, { epoch, seq }]) => ({ log, epoch, seq })),
        })),
      }
    },
    async roll(wanted) {
      const stage = wanted ?? (announced() !== undefined ? 'activate' : older().length > 0 ? 'retire' : 'announce')
      return { stage, ...(await stages[stage]()) }
    },
    async prepareReplacement() {
      const key = await freshKey()
      await gate.close(PAUSE_MS)
      const unreceipted = await waitReceipts()
      const closings = await closingsNow()
      const { fed } = keeper.state()
      const n = ring().counter + 1
      const claims: KeysClaims = {
        fed,
        iss: own,
        n,
        iat: Math.floor(clock().getTime() / 1000),
        announce: [key.jwk as NonNullable<KeysClaims['announce']>[number]],
        activate: [key.jwk.kid],
        retire: [...activeKeys(ring()), ...ring().keys.filter(one => keyState(one) === 'announced')].map(({ kid }) => ({
          kid,
          closings: closings as NonNullable<KeysClaims['leave']>,
        })),
        stolen: true,
        proofs: [await provePossession(key.signer, { fed, owner: own, n, now: clock() })],
      }
      return { claims, kid: key.jwk.kid, unreceipted }
    },
    async replace(token, since) {
      try {
        const { claims } = openKeys(token, keeper.state().fed)
        const stolen = ring().keys.filter(({ kid }) => claims.retire?.some(one => one.kid === kid))
        const position = await enter(token)
        return { position, affected: await affectedBy(stolen, since) }
      } finally {
        gate.open()
      }
    },
    async renewEncryption() {
      const registered = new Set(ring().enc.map(({ jwk }) => jwk.kid))
      const waiting = [...encKeys.keys.keys()].find(kid => !registered.has(kid))
      const enc = (waiting === undefined ? null : encKeys.named(waiting)) ?? (await encKeys.create())
      return { kid: enc.kid, position: await enter(await sign({ enc })) }
    },
    async leave() {
      await gate.close(PAUSE_MS)
      try {
        await waitReceipts()
        return { position: await enter(await sign({ leave: await closingsNow() })) }
      } finally {
        gate.open()
      }
    },
  }
}

/** Bodies that are encrypted, or erased as a whole, name no key here: their position is affected all the same. */
async function recordsOf(body: Uint8Array | null, encoding: string): Promise<{ key: string; ver: number; op: string }[]> {
  if (body === null) return []
  try {
    const { records } = JSON.parse(Buffer.from(await decodeBody(body, encoding)).toString('utf8')) as {
      records: { key: string; ver: number; op: string }[]
    }
    return records
  } catch {
    return [{ key: '', ver: 0, op: '' }]
  }
}
