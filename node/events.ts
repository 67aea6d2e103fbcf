/** What a node reports, one function for each business event: a line in the log and a number for the metrics. */
import type { BackfillEvents } from '../runtime/ledger/backfill.ts'
import type { BootstrapEvents } from '../runtime/ledger/bootstrap.ts'
import type { Doubts } from '../runtime/ledger/doubts.ts'
import { createLedgerEvents, type LedgerEvents } from '../runtime/ledger/events.ts'
import type { Logger } from '../runtime/log.ts'
import type { MembershipEvents } from '../runtime/membership/keeper.ts'
import { meter } from '../runtime/telemetry.ts'
import { isExchangeError } from '../schemas/errors.ts'
import { formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../schemas/log.ts'
import type { ForeignChange } from '../schemas/membership/own-entry.ts'
import type { SnapshotMark } from '../schemas/snapshot.ts'
import type { LoginEvents } from './login/login-room.ts'
import type { ListEvents } from './trust/lists.ts'

export type NodeEvents = LedgerEvents &
  ListEvents &
  LoginEvents &
  BootstrapEvents &
  BackfillEvents &
  MembershipEvents & {
    /** a snapshot of an own log stands, the next head announces it */
    snapshotMade(log: LogId, mark: SnapshotMark): void
    sealed(log: LogId, records: number): void
    published(log: LogId, entries: number): void
    /** an operator had versions of a key erased at so many positions of an own log */
    redacted(log: LogId, positions: number): void
    receipted(log: LogId, head: LogHead): void
    receiptRefused(reason: string): void
    /** the membership log changes this member without its signature */
    alarmRaised(change: ForeignChange): void
    membershipNoticed(change: ForeignChange): void
    /** the hub's keys were stolen, and its recovery key has replaced them */
    anchorReplaced(seq: number, fingerprint: string): void
    brokerKeyRenewed(key: string): void
    /** the hub's statement about this member comes to its end, or is past it; nothing stops */
    statementExpiring(state: 'soon' | 'expired', until: Date): void
    resent(log: LogId): void
    /** an own log was behind what others hold of it and was taken back */
    restored(log: LogId): void
    sealingWaits(reason: string): void
    /** a holder answered with a standing of an own log that this node never signed */
    standingRefused(holder: string, error: unknown): void
    /** an operator declared entries of an own log lost and opened a new epoch */
    reopened(log: LogId, lost: Position, opening: Position): void
    /** what this node has declared lost stands with somebody: it can be said again */
    lostFound(log: LogId, holder: string, at: Position): void
    /** entries held here were declared lost by their origin: they stay as evidence, their effect was taken back */
    withdrawn(log: LogId, from: Position, count: { readonly entries: number; readonly keys: number }): void
    /** these could not be asked about the own logs; sealing begins all the same */
    sealingWithout(silent: readonly string[]): void
    ingested(adapter: string, sum: { readonly rows: number; readonly sealed: number; readonly refused: number }): void
    figureSealed(period: string, number: number): void
    certificatesImported(sum: { readonly rows: number; readonly imported: number; readonly quarantined: number }): void
    crlFetched(source: string, kind: 'same' | 'new'): void
    crlMissed(source: string, error: unknown): void
  }

export function createEvents(logger: Logger, doubts: Doubts): NodeEvents {
  const ledger = createLedgerEvents('node', logger, doubts)
  const expiring = meter().createCounter('hutong.node.statements_expiring', {
    description: 'statements of the hub near or past their end',
  })
  const sealed = meter().createCounter('hutong.node.records.sealed', { description: 'records sealed here' })
  const listsRefused = meter().createCounter('hutong.node.trust_lists.refused', { description: 'issues of trust lists refused' })
  const crlsMissed = meter().createCounter('hutong.node.crls.missed', { description: 'revocation lists that could not be fetched' })
  const loggedIn = meter().createCounter('hutong.node.logins', { description: 'logins with a certificate' })
  const loginsRefused = meter().createCounter('hutong.node.logins.refused', { description: 'logins refused' })
  const watchedUses = meter().createCounter('hutong.node.watched_uses', { description: 'uses of certificates of watched holders' })
  const applied = meter().createCounter('hutong.node.records.applied', { description: 'records of others applied here' })
  return {
    ...ledger,
    arrived(origin, outcome) {
      ledger.arrived(origin, outcome)
      if (outcome.kind !== 'accepted') return
      applied.add(outcome.records, { origin, dataset: outcome.log.dataset })
      if (outcome.refusal !== null || outcome.refused > 0) {
        const code = outcome.refusal?.code ?? null
        logger.warn(
          { log: formatLogId(outcome.log), at: formatPosition(outcome.head), code, refused: outcome.refused },
          'not all of an entry could be applied',
        )
      }
    },
    snapshotMade: (log, { at, records }) =>
      logger.info({ log: formatLogId(log), at: formatPosition(at), records }, 'snapshot made'),
    bootstrapBegan: (log, { at, records }) =>
      logger.info({ log: formatLogId(log), at: formatPosition(at), records }, 'loading a log from its snapshot'),
    bootstrapped: (log, { at, records }) =>
      logger.info({ log: formatLogId(log), at: formatPosition(at), records }, 'log loaded from its snapshot'),
    backfilled: log => logger.info({ log: formatLogId(log) }, 'the history before the snapshot of a log is held here'),
    bootstrapGivenUp: (log, reason) =>
      logger.warn({ log: formatLogId(log), reason }, 'the snapshot is not used, the log is read from its first entry'),
    sealed(log, count) {
      sealed.add(count, { dataset: log.dataset })
      logger.debug({ log: formatLogId(log), count }, 'records sealed')
    },
    redacted: (log, positions) => logger.info({ log: formatLogId(log), positions }, 'redactions signed'),
    published: (log, entries) => logger.debug({ log: formatLogId(log), entries }, 'entries published'),
    receipted: (log, head) => logger.debug({ log: formatLogId(log), at: formatPosition(head) }, 'receipt taken'),
    receiptRefused(reason) {
      doubts.note('receipt-refused', 'hub', reason)
      logger.warn({ reason }, 'receipt refused')
    },
    resent(log) {
      doubts.note('receipt-missing', formatLogId(log))
      logger.warn({ log: formatLogId(log) }, 'no receipt came, sending again from the last one')
    },
    standingRefused(holder, error) {
      doubts.note('standing-refused', holder, isExchangeError(error) ? error.code : 'INTERNAL')
      logger.warn({ holder, err: error }, 'a standing of an own log was refused')
    },
    membershipMoved: (position, outcomes) => {
      logger.info({ position }, 'membership log taken')
      for (const outcome of outcomes)
        if (outcome.kind === 'refused')
          logger.error(
            { seq: outcome.entry.claims.seq, about: outcome.about, code: outcome.error.code },
            'entry of the hub refused',
          )
    },
    membershipRefused: error => logger.warn({ err: error }, 'membership entry refused'),
    alarmRaised: ({ seq, act, by }) =>
      logger.fatal(
        { seq, act, by },
        'ALARM: the hub changes this member without its signature, the proof is at /v1/membership/alarms',
      ),
    statementExpiring(state, until) {
      expiring.add(1, { state })
      logger.warn(
        { state, until },
        state === 'soon' ? 'the statement of the hub ends soon' : 'the statement of the hub has ended; the exchange goes on',
      )
    },
    anchorReplaced: (seq, fingerprint) =>
      logger.fatal(
        { seq, fingerprint },
        'the keys of the hub were stolen and are replaced: compare the fingerprint with what its people say by another way',
      ),
    brokerKeyRenewed: key => logger.warn({ key }, 'a new key at the broker'),
    membershipNoticed: ({ seq, act }) => logger.warn({ seq, act }, 'the hub has entered something about this member'),
    restored: log =>
      logger.warn({ log: formatLogId(log) }, 'own log taken back from others: this node was restored from an older state'),
    sealingWaits: reason => logger.warn({ reason }, 'sealing waits'),
    reopened: (log, lost, opening) =>
      logger.warn(
        { log: formatLogId(log), lost: formatPosition(lost), at: formatPosition(opening) },
        'entries of the own log were declared lost, a new epoch is open',
      ),
    lostFound: (log, holder, at) =>
      logger.warn({ log: formatLogId(log), holder, at: formatPosition(at) }, 'what was declared lost stands with a holder'),
    withdrawn: (log, from, { entries, keys }) =>
      logger.warn(
        { log: formatLogId(log), from: formatPosition(from), entries, keys },
        'the origin has declared entries lost that are held here; their effect was taken back',
      ),
    sealingWithout: silent =>
      logger.warn({ silent }, 'sealing begins without these witnesses: if this node was restored from a backup, its logs may fork'),
    ingested: (adapter, { rows, sealed: count, refused }) =>
      logger.info({ adapter, rows, sealed: count, refused }, 'rows taken in'),
    figureSealed: (period, number) => logger.info({ period, number }, 'monthly figure sealed'),
    listTaken: ({ id, operator, sequence }) => logger.info({ list: id, operator, sequence }, 'trust list taken'),
    listRefused(origin, list, code, reason) {
      listsRefused.add(1, { code })
      logger.warn({ origin, list, code, reason }, 'trust list refused, the last good one stands')
    },
    listWithdrawn: (origin, list) => logger.warn({ origin, list }, 'its operator has taken a trust list back'),
    certificatesImported: ({ rows, imported, quarantined }) =>
      logger.info({ rows, imported, quarantined }, 'certificates brought in'),
    loggedIn(client) {
      loggedIn.add(1, { client })
      logger.info({ client }, 'login with a certificate')
    },
    loginRefused(client, code, reason) {
      loginsRefused.add(1, { client, code })
      logger.info({ client, code, reason }, 'login refused')
    },
    watchedUse(use) {
      watchedUses.add(1, { use })
      logger.warn({ use }, 'the certificate of a watched holder was used; /v1/certificate-uses?watched=true shows it')
    },
    usesTold: (home, count) => logger.debug({ home, count }, 'home was told of uses of certificates'),
    usesWaiting: (home, code) => logger.warn({ home, code }, 'home cannot be told of uses of certificates yet'),
    crlFetched: (source, kind) => logger.debug({ source, kind }, 'revocation list fetched'),
    crlMissed(source, error) {
      crlsMissed.add(1)
      logger.warn({ source, err: error }, 'a revocation list could not be fetched; the one held counts up to its end')
    },
  }
}
